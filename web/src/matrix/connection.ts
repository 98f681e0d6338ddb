/** A signed-in person's live connection: the SDK's client behind the models' Connection. */
import "./quiet-logger";
import { ClientEvent, type MatrixClient } from "matrix-js-sdk/lib/client.js";
import { HttpApiEvent } from "matrix-js-sdk/lib/http-api/index.js";
import { RoomEvent } from "matrix-js-sdk/lib/models/room.js";
import { RoomMemberEvent } from "matrix-js-sdk/lib/models/room-member.js";
import { RoomStateEvent } from "matrix-js-sdk/lib/models/room-state.js";
import { SyncState } from "matrix-js-sdk/lib/sync.js";
import type { Bridge } from "../models/bridge";
import { Cell } from "../models/cell";
import type { Connect, Connection, ConnectionState, Conversation } from "../models/connection";
import type { Person } from "../models/person";
import type { Room } from "../models/room";
import { HttpBridge } from "./bridge";
import { makeClient, startSync } from "./client";
import { MatrixConversation } from "./conversation";
import { signIn, signInAgain } from "./credentials";
import { onceSoon } from "./once-soon";
import { Pictures } from "./pictures";
import { renewingFetches } from "./renewing-fetch";
import { isSameRoom, readRoom } from "./rooms";

const LIST_CHANGES = [
  ClientEvent.Room,
  ClientEvent.DeleteRoom,
  RoomEvent.Name,
  RoomEvent.MyMembership,
  RoomEvent.Receipt,
  RoomStateEvent.Events,
  RoomMemberEvent.Typing,
] as const;

const STATES: Readonly<Record<SyncState, ConnectionState["kind"] | null>> = {
  [SyncState.Prepared]: "live",
  [SyncState.Syncing]: "live",
  [SyncState.Catchup]: null,
  [SyncState.Reconnecting]: "offline",
  [SyncState.Error]: "offline",
  [SyncState.Stopped]: null,
};

/** Sign in by the host's token and start to sync; the rooms come when the first sync has. */
export const connect: Connect = async (settings) => {
  const session = await signIn(settings);
  const state = new Cell<ConnectionState>({ kind: "starting" });
  const fetches = renewingFetches({
    grant: session,
    renew: () => signInAgain(settings, session),
    onEnded: (sentence) => {
      state.set({ kind: "ended", sentence });
    },
  });
  const client = makeClient(session, fetches.homeserver);
  const connection = new MatrixConnection(client, session.person, state, {
    bridge: new HttpBridge(settings.baseUrl, fetches.bridge),
    pictures: new Pictures(session.homeserverUrl, fetches.homeserver),
  });
  await startSync(client);
  return connection;
};

class MatrixConnection implements Connection {
  readonly rooms = new Cell<readonly Room[]>([]);
  readonly person: Person;
  readonly state: Cell<ConnectionState>;
  readonly bridge: Bridge;
  readonly #pictures: Pictures;
  readonly #client: MatrixClient;

  constructor(
    client: MatrixClient,
    person: Person,
    state: Cell<ConnectionState>,
    beside: { bridge: Bridge; pictures: Pictures },
  ) {
    this.bridge = beside.bridge;
    this.#pictures = beside.pictures;
    this.#client = client;
    this.person = person;
    this.state = state;
    client.on(ClientEvent.Sync, this.#onSync);
    client.on(HttpApiEvent.SessionLoggedOut, this.#onLoggedOut);
    for (const event of LIST_CHANGES) client.on(event, this.#refreshSoon);
  }

  loadPicture(avatarUrl: string): Promise<string | null> {
    return this.#pictures.load(avatarUrl);
  }

  openConversation(roomId: string): Conversation {
    const room = this.#client.getRoom(roomId);
    if (!room) throw new Error("openConversation was asked for a room that is not in the list");
    return new MatrixConversation(this.#client, room);
  }

  close(): void {
    this.#client.removeAllListeners();
    this.#client.stopClient();
    this.#pictures.forget();
  }

  readonly #onSync = (syncState: SyncState): void => {
    this.#refresh();
    const kind = STATES[syncState];
    if (kind === null || kind === "ended" || this.state.get().kind === "ended") return;
    if (kind !== this.state.get().kind) this.state.set({ kind });
  };

  readonly #onLoggedOut = (): void => {
    if (this.state.get().kind !== "ended")
      this.state.set({ kind: "ended", sentence: "You have been signed out." });
    this.#client.stopClient();
  };

  readonly #refreshSoon = onceSoon(() => {
    this.#refresh();
  });

  /** Read all rooms anew; a room that shows the same stays the same object. */
  #refresh(): void {
    const before = new Map(this.rooms.get().map((room) => [room.roomId, room]));
    const rooms = this.#client.getRooms().flatMap((sdkRoom) => {
      const now = readRoom(sdkRoom, this.person.matrixId);
      if (!now) return [];
      const known = before.get(now.roomId);
      return known && isSameRoom(known, now) ? [known] : [now];
    });
    const isSame = rooms.length === before.size && rooms.every((room) => before.get(room.roomId) === room);
    if (!isSame) this.rooms.set(rooms);
  }
}
