"""Lets django-helpdesk fetch one mailbox into its queue, once; prints how many tickets and follow-ups it holds then."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from helpdesk.email import process_email  # noqa: E402 - Django must be set up first
from helpdesk.models import FollowUp, Queue, Ticket  # noqa: E402

kind, port, user, password = sys.argv[1:]
Queue.objects.update_or_create(
    slug="bench",
    defaults={
        "title": "Bench",
        "email_address": user,
        "allow_email_submission": True,
        "email_box_type": kind,
        "email_box_host": "localhost",
        "email_box_port": int(port),
        "email_box_ssl": True,
        "email_box_user": user,
        "email_box_pass": password,
        "email_box_imap_folder": "INBOX",
        "email_box_interval": 0,
        "logging_type": "none",
    },
)
process_email(quiet=True)
print(Ticket.objects.count(), FollowUp.objects.count())
