"""Model providers over HTTP. Values go in, ``ProviderError``s and answers come out; no Django, no settings, no storage.

Start at ``factory.provider_for``. The layers, each testable without the one above: ``sse`` (bytes to events), the dialects ``openai``,
``ollama`` and ``anthropic`` (events to text), ``answer`` (text to a completion), ``streaming`` (sockets and deadlines).
"""
