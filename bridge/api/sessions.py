"""Routes of sessions and of what a signed-in person may ask for."""

from bridge.api.call import Call
from bridge.api.shapes import (
    AiRoomAnswer,
    DirectChatAnswer,
    DirectChatBody,
    SessionAnswer,
    SessionBody,
    SessionTenant,
)
from bridge.model.ids import DeviceID, parse_member_id


async def post_session(call: Call) -> SessionAnswer:
    """Sign a person in with a signed token of the BitNexus backend."""
    body = call.body_as(SessionBody)
    opened = await call.actions.open_session(
        body.token, device_id=None if body.device_id is None else DeviceID(body.device_id)
    )
    return SessionAnswer(
        user_id=opened.person.member_id,
        matrix_id=opened.person.user_id,
        access_token=opened.login.access_token,
        device_id=opened.login.device_id,
        homeserver_url=call.actions.homeserver_url,
        session_token=opened.session_token,
        expires_in=opened.expires_in,
        tenants=tuple(
            SessionTenant(
                tenant_id=tenant.tenant_id, name=tenant.name, role=tenant.role.value, space_id=tenant.space_id
            )
            for tenant in opened.tenants
        ),
    )


async def delete_session(call: Call) -> None:
    """Sign the person out and delete the Matrix device."""
    await call.actions.close_session(call.session)


async def post_ai_room(call: Call) -> AiRoomAnswer:
    """Give the person their own room with the assistant."""
    key, room_id, change = await call.actions.open_ai_room(call.tenant_id, credential=call.session)
    return AiRoomAnswer(key=key, name=call.actions.open_ai_room.assistant_name, room_id=room_id, job_id=change.job_id)


async def post_direct_chat(call: Call) -> DirectChatAnswer:
    """Open a direct chat, or find the one that there is."""
    other = parse_member_id(call.body_as(DirectChatBody).user_id)
    key, room_id, change = await call.actions.open_direct_chat(call.tenant_id, other, asker=call.session.member_id)
    return DirectChatAnswer(key=key, room_id=room_id, revision=change.revision, job_id=change.job_id)
