"""Routes of integration keys."""

from bridge.api.call import Call
from bridge.api.shapes import IntegrationKeyBody, IntegrationKeyItem, IntegrationKeySecret, Page
from bridge.model.credential import IntegrationKey
from bridge.model.ids import parse_room_key


async def post_key(call: Call) -> IntegrationKeySecret:
    """Make a key and show its secret, this once."""
    body = call.body_as(IntegrationKeyBody)
    room_keys = None if body.rooms is None else tuple(parse_room_key(key) for key in body.rooms)
    key, secret = await call.actions.create_integration_key(
        call.tenant_id,
        name=body.name,
        scopes=tuple(sorted(set(body.scopes))),
        room_keys=room_keys,
        expires_at=body.expires_at,
        acting_user=call.platform.actor,
    )
    item = _item(key)
    return IntegrationKeySecret(
        key_id=item.key_id,
        name=item.name,
        prefix=item.prefix,
        scopes=item.scopes,
        rooms=item.rooms,
        created_at=item.created_at,
        expires_at=item.expires_at,
        key=secret,
    )


async def get_keys(call: Call) -> Page[IntegrationKeyItem]:
    """List the valid keys of a tenant."""
    after = call.request.query.get("after") or None
    keys = await call.actions.list_integration_keys(call.tenant_id, after=after, limit=call.limit + 1)
    items = tuple(_item(key) for key in keys[: call.limit])
    return Page(items=items, next=items[-1].key_id if len(keys) > call.limit else None)


async def delete_key(call: Call) -> None:
    """End a key at once."""
    await call.actions.revoke_integration_key(call.tenant_id, call.path("key_id"), acting_user=call.platform.actor)


def _item(key: IntegrationKey) -> IntegrationKeyItem:
    return IntegrationKeyItem(
        key_id=key.key_id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        rooms=key.room_keys,
        created_at=key.created_at,
        expires_at=key.expires_at,
    )
