"""Tell the homeserver's module whether a person may log in."""

from dataclasses import dataclass

from bridge.actions.open_session import find_welcome_person, is_waiting
from bridge.errors import Forbidden
from bridge.model.ids import UserID
from bridge.model.room import Bots
from bridge.ports import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideLogin:
    """Answer from the database alone, for Synapse waits: no request to Matrix, no lane, no lock stands behind it."""

    database: Database
    bots: Bots
    human_prefix: str

    async def __call__(self, user_id: UserID) -> str | None:
        """Return None when they may, or the sentence to refuse them with."""
        if user_id in self.bots.all or not user_id.startswith(f"@{self.human_prefix}"):
            return None  # not one of BitNexus's people: an operator's own account
        person = await self.database.person_of_user(user_id)
        if person is None:
            return "This account is not known to BitNexus."
        try:
            await find_welcome_person(self.database, person.member_id)
        except Forbidden:
            return "Your BitNexus account has no active tenant. Please ask your administrator."
        # what is still to be ended would end the session that is about to begin
        if await is_waiting(self.database, person.member_id):
            return "Your earlier sessions are being ended. Please try again in a few seconds."
        return None
