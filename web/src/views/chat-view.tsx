/** The panel: list at the start, open room beside it, or what stands in the way of either. */
import { type JSX, useState } from "react";
import type { ChatViewModel, OpenChat } from "../viewmodels/chat";
import { words } from "../viewmodels/words";
import { ConversationView } from "./conversation-view";
import { SpeechIcon } from "./icons";
import { Notice } from "./notice";
import { OpeningView } from "./opening-view";
import { Sidebar } from "./sidebar";
import { useReadable } from "./use-readable";

export function ChatView({ chat }: { chat: ChatViewModel }): JSX.Element {
  const state = useReadable(chat.state);
  switch (state.phase) {
    case "opening":
      return <OpeningView />;
    case "failed":
      return (
        <Notice
          title={words.failedTitle}
          sentence={state.sentence}
          hint={state.isTryingAgain ? words.tryingAgain : ""}
          action={{
            label: words.tryAgain,
            act: () => {
              chat.tryAgain();
            },
          }}
          isAlert
        />
      );
    case "ended":
      return <Notice title={words.endedTitle} sentence={state.sentence} isAlert />;
    case "open":
      return <OpenView chat={chat} state={state} />;
  }
}

function OpenView({ chat, state }: { chat: ChatViewModel; state: OpenChat }): JSX.Element {
  // in a narrow panel either the list or the room is on the screen
  const [isListShown, setIsListShown] = useState(true);
  const [chosenRoomId, setChosenRoomId] = useState<string | null>(null);

  function choose(roomId: string): void {
    setIsListShown(false);
    setChosenRoomId(roomId);
    chat.select(roomId);
  }

  return (
    <div className="chat" data-pane={isListShown ? "list" : "room"}>
      <Sidebar
        tenant={state.tenant}
        sections={state.sections}
        openRoomId={state.room?.roomId}
        onChoose={choose}
      />
      <div className="main">
        {state.isOffline && (
          <p className="banner" role="status">
            {words.offline}
          </p>
        )}
        {state.room && state.conversation ? (
          <ConversationView
            key={state.room.roomId}
            room={state.room}
            writing={state.writing}
            conversation={state.conversation}
            isChosen={chosenRoomId === state.room.roomId}
            onBack={() => {
              setIsListShown(true);
            }}
          />
        ) : (
          <Notice title={words.noRooms} sentence={words.noRoomsHint} icon={<SpeechIcon />} />
        )}
      </div>
    </div>
  );
}
