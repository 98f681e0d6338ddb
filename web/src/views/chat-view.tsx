/** The panel: list at the start, open room beside it, or what stands in the way of either. */
import { type JSX, useCallback, useState } from "react";
import type { ChatViewModel, OpenChat } from "../viewmodels/chat";
import { words } from "../viewmodels/words";
import { ConversationView } from "./conversation-view";
import { Dialog } from "./dialog";
import { SpeechIcon } from "./icons";
import { NewMessageView } from "./new-message-view";
import { NewTicketView } from "./new-ticket-view";
import { Notice } from "./notice";
import { OpeningView } from "./opening-view";
import { PicturesContext } from "./pictures";
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
  const { room, broughtTo } = state;
  // in a narrow panel either the list or the room is on the screen
  const [isListShown, setIsListShown] = useState(true);
  const [chosenRoomId, setChosenRoomId] = useState<string | null>(null);
  const loadPicture = useCallback((avatarUrl: string) => chat.loadPicture(avatarUrl), [chat]);
  // whoever began a chat in a dialog is taken to it
  const [lastBroughtTo, setLastBroughtTo] = useState(broughtTo);
  if (lastBroughtTo !== broughtTo && broughtTo) {
    setLastBroughtTo(broughtTo);
    setIsListShown(false);
    setChosenRoomId(broughtTo.roomId);
  }

  function choose(roomId: string): void {
    setIsListShown(false);
    setChosenRoomId(roomId);
    chat.select(roomId);
  }

  return (
    <PicturesContext value={loadPicture}>
      <div className="chat" data-pane={isListShown ? "list" : "room"}>
        <Sidebar
          tenant={state.tenant}
          sections={state.sections}
          openRoomId={room?.roomId}
          onChoose={choose}
          onBegin={(what) => {
            chat.begin(what);
          }}
        />
        <div className="main">
          {state.isOffline && (
            <p className="banner" role="status">
              {words.offline}
            </p>
          )}
          <RoomPane
            chat={chat}
            state={state}
            isChosen={chosenRoomId === room?.roomId}
            onBack={() => {
              setIsListShown(true);
            }}
          />
        </div>
        <DialogView chat={chat} />
      </div>
    </PicturesContext>
  );
}

interface RoomPaneProps {
  readonly chat: ChatViewModel;
  readonly state: OpenChat;
  readonly isChosen: boolean;
  readonly onBack: () => void;
}

function RoomPane({ chat, state, isChosen, onBack }: RoomPaneProps): JSX.Element {
  const { room, conversation } = state;
  if (!room || !conversation)
    return <Notice title={words.noRooms} sentence={words.noRoomsHint} icon={<SpeechIcon />} />;
  return (
    <ConversationView
      key={room.roomId}
      room={room}
      state={state}
      tickets={chat.tickets}
      conversation={conversation}
      isChosen={isChosen}
      onBack={onBack}
    />
  );
}

function DialogView({ chat }: { chat: ChatViewModel }): JSX.Element | null {
  const dialog = useReadable(chat.dialog);
  if (!dialog) return null;
  return (
    <Dialog title={dialog.kind === "message" ? words.newMessage : words.newTicket} onClose={chat.closeDialog}>
      {dialog.kind === "message" ? (
        <NewMessageView model={dialog.model} />
      ) : (
        <NewTicketView model={dialog.model} onCancel={chat.closeDialog} />
      )}
    </Dialog>
  );
}
