"""Our own components in the browser: each a module, with its HTML, CSS and JavaScript as files beside it."""
