/** An open room: what it is called, what was said, who types, and where to write. */
import type { JSX } from "react";
import type { Room } from "../models/room";
import type { OpenChat } from "../viewmodels/chat";
import type { ConversationViewModel } from "../viewmodels/conversation";
import type { TicketsViewModel } from "../viewmodels/tickets";
import { typingSentence } from "../viewmodels/typing";
import { words } from "../viewmodels/words";
import { writingSentence } from "../viewmodels/writing";
import { Composer } from "./composer";
import { BackIcon } from "./icons";
import { roomSign } from "./sidebar";
import { ClosedTicket, TicketBar } from "./ticket-view";
import { TimelineView } from "./timeline-view";

export interface ConversationViewProps {
  readonly room: Room;
  readonly state: OpenChat;
  readonly tickets: TicketsViewModel | null;
  readonly conversation: ConversationViewModel;
  /** True when the person has just gone here by hand, so that the keyboard follows. */
  readonly isChosen: boolean;
  readonly onBack: () => void;
}

export function ConversationView(props: ConversationViewProps): JSX.Element {
  const { room, state, tickets, conversation, onBack } = props;
  return (
    <>
      <header className="room-header">
        <button type="button" className="back" onClick={onBack} aria-label={words.backToRooms}>
          <BackIcon />
        </button>
        <span className="room-sign">{roomSign(room)}</span>
        <h2 className="room-title" dir="auto">
          {room.name}
        </h2>
        {state.sharedWith !== null && (
          <p className="shared" dir="auto">
            {words.sharedWith(state.sharedWith)}
          </p>
        )}
        {room.topic && (
          <p className="room-topic" dir="auto" title={room.topic}>
            {room.topic}
          </p>
        )}
      </header>
      {state.ticket && tickets && (
        <TicketBar ticket={state.ticket} tickets={tickets} isGuest={state.tenant.role === "guest"} />
      )}
      <TimelineView room={room} conversation={conversation} />
      <footer className="foot">
        <Foot {...props} />
        <p className="typing" aria-live="polite">
          {typingSentence(room.typing)}
        </p>
      </footer>
    </>
  );
}

/** Where to write, or why that is not possible. */
function Foot({ room, state, tickets, conversation, isChosen }: ConversationViewProps): JSX.Element {
  const { writing, ticket } = state;
  if (writing !== "guest" && ticket?.status === "closed" && tickets) {
    return <ClosedTicket ticket={ticket} tickets={tickets} isOwn={state.isOwnTicket} />;
  }
  if (writing !== "allowed") return <p className="no-composer">{writingSentence(writing)}</p>;
  return <Composer room={room} conversation={conversation} isFocusedAtOnce={isChosen} />;
}
