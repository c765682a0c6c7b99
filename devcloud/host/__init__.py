"""Azure Functions' host, for one machine: HTTP, timer and queue triggers for an app of the v2 programming model."""
