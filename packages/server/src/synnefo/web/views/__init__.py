"""The pages, one module a section. Each view asks the gateway and renders; it holds no rule of its own."""
