//! What every gRPC surface shares: rich statuses, access table, layers, health, reflection, clients.
