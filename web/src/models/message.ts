/** A message as the timeline shows it: edits applied, redactions done, local echoes among the rest. */

export type MessageKind = "text" | "notice" | "emote" | "file";

/** `ai` and `app` are our bots, known by their exclusive Matrix ids and never by what a message says of itself. */
export type SenderKind = "person" | "ai" | "app";

export interface Sender {
  readonly matrixId: string;
  readonly name: string;
  readonly kind: SenderKind;
  readonly isMe: boolean;
}

export type SendState =
  | { readonly kind: "sent" }
  | { readonly kind: "sending" }
  | { readonly kind: "failed"; readonly sentence: string };

export interface Message {
  /** Stays the same when a local echo becomes the server's event. */
  readonly key: string;
  readonly eventId: string;
  readonly sender: Sender;
  /** The tenant that the sender speaks for, where the message says so: in rooms of alliances. */
  readonly tenantId: string | null;
  /** Milliseconds since 1970. */
  readonly sentAt: number;
  readonly kind: MessageKind;
  readonly body: string;
  /** HTML as it came: to be sanitised before it is shown. */
  readonly formattedBody: string | null;
  readonly isEdited: boolean;
  readonly isRedacted: boolean;
  /** True while its sender still writes at it (a streaming answer). */
  readonly isLive: boolean;
  readonly state: SendState;
}

export interface Timeline {
  readonly messages: readonly Message[];
  readonly hasOlder: boolean;
  /** False until the first page of messages is there. */
  readonly isLoaded: boolean;
  readonly isLoadingOlder: boolean;
}
