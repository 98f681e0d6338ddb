/** Where a person writes: a plain text area that grows, Enter sends. */
import { type JSX, type KeyboardEvent, type SyntheticEvent, useEffect, useLayoutEffect, useRef } from "react";
import type { Room } from "../models/room";
import { type ConversationViewModel, isSendKey } from "../viewmodels/conversation";
import { words } from "../viewmodels/words";
import { SendIcon } from "./icons";
import { useReadable } from "./use-readable";

export interface ComposerProps {
  readonly room: Room;
  readonly conversation: ConversationViewModel;
  readonly isFocusedAtOnce: boolean;
}

export function Composer({ room, conversation, isFocusedAtOnce }: ComposerProps): JSX.Element {
  const draft = useReadable(conversation.draft);
  const field = useRef<HTMLTextAreaElement>(null);
  const label = room.type === "ai" ? words.writeToAssistant(room.name) : words.writeTo(room.name);

  useLayoutEffect(() => {
    if (field.current) growToContent(field.current);
  }, [draft]);

  useEffect(() => {
    if (isFocusedAtOnce) field.current?.focus();
  }, [isFocusedAtOnce]);

  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>): void {
    const { key, shiftKey } = event;
    if (!isSendKey({ key, shiftKey, isComposing: event.nativeEvent.isComposing })) return;
    event.preventDefault();
    conversation.send();
  }

  function onSubmit(event: SyntheticEvent): void {
    event.preventDefault();
    conversation.send();
    field.current?.focus();
  }

  return (
    <form className="composer" onSubmit={onSubmit}>
      <textarea
        ref={field}
        className="field"
        rows={1}
        dir="auto"
        aria-label={label}
        aria-describedby="composer-hint"
        placeholder={label}
        value={draft}
        onChange={(event) => {
          conversation.write(event.target.value);
        }}
        onKeyDown={onKeyDown}
      />
      <span className="hidden" id="composer-hint">
        {words.composerHint}
      </span>
      <button type="submit" className="send" disabled={draft.trim() === ""} aria-label={words.send}>
        <SendIcon />
      </button>
    </form>
  );
}

function growToContent(field: HTMLTextAreaElement): void {
  field.style.blockSize = "auto";
  field.style.blockSize = `${field.scrollHeight}px`;
}
