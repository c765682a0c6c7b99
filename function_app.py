"""The Azure Functions app: registers the blueprints, nothing else."""

import azure.functions as func

from console import bp as console
from mail_poll import bp as mail_poll
from oauth_callback import bp as oauth_callback
from task_delivery import bp as task_delivery
from ticket_retention import bp as ticket_retention
from token_refresh import bp as token_refresh

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(oauth_callback)
app.register_functions(token_refresh)
app.register_functions(mail_poll)
app.register_functions(task_delivery)
app.register_functions(ticket_retention)
app.register_functions(console)
