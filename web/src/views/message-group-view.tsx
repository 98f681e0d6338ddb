/** What one sender wrote in a row, with their face and name once. */
import { type JSX, memo } from "react";
import type { Message, Sender } from "../models/message";
import type { ConversationViewModel } from "../viewmodels/conversation";
import { fullTime, type MessageGroup, timeOfDay } from "../viewmodels/timeline";
import { words } from "../viewmodels/words";
import { Avatar } from "./avatar";
import { MessageBody } from "./message-body";

export interface MessageGroupViewProps {
  readonly group: MessageGroup;
  readonly conversation: ConversationViewModel;
}

export function MessageGroupView({ group, conversation }: MessageGroupViewProps): JSX.Element {
  const [first] = group.messages;
  return (
    <section className="group">
      <Avatar sender={group.sender} />
      <div className="group-words">
        <p className="group-head">
          <span className="sender" dir="auto">
            {group.sender.name}
          </span>
          <Badge sender={group.sender} />
          {group.side !== null && (
            <span className="badge side" dir="auto">
              {group.side}
            </span>
          )}
          {first && <SentAt message={first} />}
        </p>
        {group.messages.map((message) => (
          <MessageView key={message.key} message={message} conversation={conversation} />
        ))}
      </div>
    </section>
  );
}

function Badge({ sender }: { sender: Sender }): JSX.Element | null {
  if (sender.kind === "person") return null;
  return <span className="badge">{sender.kind === "ai" ? words.badgeAi : words.badgeApp}</span>;
}

function SentAt({ message }: { message: Message }): JSX.Element {
  return (
    <time className="time" dateTime={new Date(message.sentAt).toISOString()} title={fullTime(message.sentAt)}>
      {timeOfDay(message.sentAt)}
    </time>
  );
}

interface MessageViewProps {
  readonly message: Message;
  readonly conversation: ConversationViewModel;
}

const MessageView = memo(function MessageView({ message, conversation }: MessageViewProps): JSX.Element {
  return (
    <div
      className="message"
      data-state={message.state.kind}
      data-kind={message.kind}
      data-live={message.isLive || undefined}
      data-from={message.sender.kind}
    >
      <MessageBody message={message} />
      {message.isLive && <span className="hidden">{words.writing}</span>}
      {message.isEdited && !message.isRedacted && <span className="edited">({words.edited})</span>}
      {message.state.kind === "failed" && (
        <Failure sentence={message.state.sentence} messageKey={message.key} conversation={conversation} />
      )}
    </div>
  );
});

interface FailureProps {
  readonly sentence: string;
  readonly messageKey: string;
  readonly conversation: ConversationViewModel;
}

function Failure({ sentence, messageKey, conversation }: FailureProps): JSX.Element {
  return (
    <p className="failure" role="alert">
      <span>{sentence}</span>
      <button
        type="button"
        className="link"
        onClick={() => {
          conversation.retry(messageKey);
        }}
      >
        {words.retry}
      </button>
      <button
        type="button"
        className="link"
        onClick={() => {
          conversation.discard(messageKey);
        }}
      >
        {words.discard}
      </button>
    </p>
  );
}
