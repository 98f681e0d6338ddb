/** Makes the SDK's client for a session: everything in memory, no calls, no encryption, a quiet log. */
import "./quiet-logger";
import { MatrixClient, PendingEventOrdering } from "matrix-js-sdk/lib/client.js";
import type { Logger } from "matrix-js-sdk/lib/logger.js";
import { MatrixScheduler } from "matrix-js-sdk/lib/scheduler.js";
import { MemoryStore } from "matrix-js-sdk/lib/store/memory.js";
import type { Session } from "./sessions";

const FIRST_TIMELINE_LIMIT = 20;

const ignore = (): void => undefined;

/** The SDK tells its whole life; the host's console is not ours to fill, and failures reach the views as states. */
const silence: Logger = {
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  getChild: () => silence,
};

export function makeClient(session: Session, fetchFn: typeof globalThis.fetch): MatrixClient {
  return new MatrixClient({
    baseUrl: session.homeserverUrl,
    userId: session.person.matrixId,
    deviceId: session.deviceId,
    accessToken: session.accessToken,
    fetchFn,
    store: new MemoryStore(),
    scheduler: new MatrixScheduler(),
    timelineSupport: true,
    disableVoip: true,
    logger: silence,
  });
}

/** Start the classic sync: members when they are needed, few messages a room, no presence. */
export async function startSync(client: MatrixClient): Promise<void> {
  await client.startClient({
    initialSyncLimit: FIRST_TIMELINE_LIMIT,
    lazyLoadMembers: true,
    disablePresence: true,
    // the server's order, with what is not sent yet behind it; otherwise an echo keeps a place it was never given
    pendingEventOrdering: PendingEventOrdering.Detached,
  });
}
