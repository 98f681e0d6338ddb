/** What the view-models ask of the protocol; `matrix/` is the one that answers. */
import type { Bridge } from "./bridge";
import type { Readable } from "./cell";
import type { Timeline } from "./message";
import type { Person } from "./person";
import type { Room } from "./room";

export interface HostSettings {
  /** Where the bridge is: `/v1` and `/chat/` are below it. */
  readonly baseUrl: string;
  /** Ask the host application for a fresh token (JWT) of the person who is signed in there. */
  readonly getToken: () => Promise<string>;
}

/** `ended` is final: the sentence says why. */
export type ConnectionState =
  | { readonly kind: "starting" }
  | { readonly kind: "live" }
  | { readonly kind: "offline" }
  | { readonly kind: "ended"; readonly sentence: string };

/** One room, opened. */
export interface Conversation {
  readonly timeline: Readable<Timeline>;
  loadOlder(): Promise<void>;
  /** Show the message at once and send it; failures show in the message's state. */
  send(body: string): void;
  retry(key: string): void;
  discard(key: string): void;
  setTyping(isTyping: boolean): void;
  /** Tell the server that everything shown has been read. */
  markRead(): void;
  close(): void;
}

export interface Connection {
  readonly person: Person;
  readonly state: Readable<ConnectionState>;
  /** Every room the person is in, of all their tenants, in no particular order; spaces are not among them. */
  readonly rooms: Readable<readonly Room[]>;
  readonly bridge: Bridge;
  /** Return where the page can load a picture from, by its `mxc://` address; null when it cannot be had. */
  loadPicture(avatarUrl: string): Promise<string | null>;
  openConversation(roomId: string): Conversation;
  close(): void;
}

/** Open a session and start to sync; raises ChatError. */
export type Connect = (settings: HostSettings) => Promise<Connection>;
