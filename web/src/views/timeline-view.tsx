/** What was said, oldest first; it keeps to the newest message unless the reader has scrolled away. */
import type { JSX } from "react";
import type { Room } from "../models/room";
import type { ConversationState, ConversationViewModel } from "../viewmodels/conversation";
import { words } from "../viewmodels/words";
import { AssistantIcon, DownIcon, SpeechIcon } from "./icons";
import { MessageGroupView } from "./message-group-view";
import { Notice } from "./notice";
import { TimelineBones } from "./opening-view";
import { useReadable } from "./use-readable";
import { useTimelineScroll } from "./use-timeline-scroll";

export interface TimelineViewProps {
  readonly room: Room;
  readonly conversation: ConversationViewModel;
}

export function TimelineView({ room, conversation }: TimelineViewProps): JSX.Element {
  const state = useReadable(conversation.state);
  const { box, content, isAtEnd, goToEnd } = useTimelineScroll(conversation, state);
  return (
    <div className="timeline-box">
      {/* a region that scrolls must be reachable by keyboard, although it is not a control */}
      {/* eslint-disable jsx-a11y/no-noninteractive-tabindex */}
      <div
        className="timeline"
        ref={box}
        role="log"
        aria-label={words.messagesIn(room.name)}
        aria-relevant="additions"
        aria-busy={!state.isLoaded}
        tabIndex={0}
      >
        {/* eslint-enable jsx-a11y/no-noninteractive-tabindex */}
        <div className="timeline-content" ref={content}>
          <Beginning room={room} state={state} />
          {state.items.map((item) =>
            item.kind === "day" ? (
              <h3 key={item.key} className="day">
                <span>{item.label}</span>
              </h3>
            ) : (
              <MessageGroupView key={item.key} group={item} conversation={conversation} />
            ),
          )}
        </div>
      </div>
      {!isAtEnd && (
        <button type="button" className="jump" onClick={goToEnd}>
          <DownIcon />
          {words.jumpToLatest}
        </button>
      )}
    </div>
  );
}

function Beginning({ room, state }: { room: Room; state: ConversationState }): JSX.Element {
  if (!state.isLoaded && state.items.length === 0) return <TimelineBones />;
  if (state.isLoadingOlder || state.hasOlder) {
    return <p className="older">{state.isLoadingOlder ? words.loadingOlder : ""}</p>;
  }
  return state.items.length > 0 ? <p className="older">{beginningOf(room)}</p> : <EmptyRoom room={room} />;
}

function beginningOf(room: Room): string {
  return room.type === "dm" ? words.beginningOfChat(room.name) : words.beginning(room.name);
}

function EmptyRoom({ room }: { room: Room }): JSX.Element {
  if (room.type === "ai")
    return <Notice title={room.name} sentence={words.emptyAssistant} icon={<AssistantIcon />} />;
  const sentence = room.mayWrite ? words.emptyRoom : words.emptyForReaders;
  return <Notice title={room.name} sentence={sentence} icon={<SpeechIcon />} />;
}
