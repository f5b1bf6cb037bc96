"""The further addresses of a provider: its list in a document is all of them."""

from councils.models import Provider, ProviderEndpoint
from councils.services.configuration import fields
from councils.services.configuration.reading import Entry
from councils.services.configuration.rows import Log, save_row


def apply_endpoints(provider: Provider, entry: Entry, log: Log) -> None:
    """Create, update and remove addresses so that they are as the list says. A provider that is not stored only has its list checked."""
    there = {endpoint.base_url: endpoint for endpoint in provider.endpoints.all()} if provider.pk else {}
    named: set[str] = set()
    for item in entry.entries("endpoints"):
        item.check_names(set(fields.ENDPOINT))
        address = item.text("base_url")
        if address is None:
            continue
        if address in named or address == provider.base_url:
            item.blame("This address is there twice.", "base_url")
            continue
        named.add(address)
        row = there.get(address) or ProviderEndpoint(provider=provider)
        unchecked = () if provider.pk else ("provider",)
        what = f"endpoint {address} of provider {provider.slug}"
        values = item.values(ProviderEndpoint, fields.ENDPOINT)
        save_row(row, values, item, what=what, log=log, unchecked=unchecked, store=provider.pk is not None)
    for address in sorted(there.keys() - named):
        there[address].delete()
        log.append(f"removed endpoint {address} of provider {provider.slug}")
