"""The addresses of django-helpdesk, which its notifications name."""

from django.urls import include, path

urlpatterns = [path("", include("helpdesk.urls", namespace="helpdesk"))]
