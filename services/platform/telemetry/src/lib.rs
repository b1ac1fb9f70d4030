//! Logs, traces and metrics: JSON or pretty lines, OTLP when an endpoint is set.
