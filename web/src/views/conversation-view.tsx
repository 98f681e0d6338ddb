/** An open room: what it is called, what was said, who types, and where to write. */
import type { JSX } from "react";
import type { Room } from "../models/room";
import type { Writing } from "../viewmodels/chat";
import type { ConversationViewModel } from "../viewmodels/conversation";
import { typingSentence } from "../viewmodels/typing";
import { words } from "../viewmodels/words";
import { Composer } from "./composer";
import { BackIcon } from "./icons";
import { roomSign } from "./sidebar";
import { TimelineView } from "./timeline-view";

export interface ConversationViewProps {
  readonly room: Room;
  readonly writing: Writing;
  readonly conversation: ConversationViewModel;
  /** True when the person has just gone here by hand, so that the keyboard follows. */
  readonly isChosen: boolean;
  readonly onBack: () => void;
}

export function ConversationView(props: ConversationViewProps): JSX.Element {
  const { room, writing, conversation, isChosen, onBack } = props;
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
        {room.topic && (
          <p className="room-topic" dir="auto" title={room.topic}>
            {room.topic}
          </p>
        )}
      </header>
      <TimelineView room={room} conversation={conversation} />
      <footer className="foot">
        {writing === "allowed" ? (
          <Composer room={room} conversation={conversation} isFocusedAtOnce={isChosen} />
        ) : (
          <p className="no-composer">{writing === "guest" ? words.guestsRead : words.staffWrites}</p>
        )}
        <p className="typing" aria-live="polite">
          {typingSentence(room.typing)}
        </p>
      </footer>
    </>
  );
}
