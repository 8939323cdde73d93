"""The data path: route table, header rules and the keep-alive client that carries requests to the services."""
