/** The way from the host application's token to a session, first and again. */
import type { HostSettings } from "../models/connection";
import { ChatError } from "../models/errors";
import { openSession, type Session } from "./sessions";

/** Ask the host for a token and open a session with it; raises ChatError. */
export async function signIn(settings: HostSettings): Promise<Session> {
  return openSession(settings.baseUrl, { token: await askHost(settings) });
}

/** Sign in again on the same device; refused when the host meanwhile has somebody else signed in. */
export async function signInAgain(settings: HostSettings, first: Session): Promise<Session> {
  const session = await openSession(settings.baseUrl, {
    token: await askHost(settings),
    device_id: first.deviceId,
  });
  if (session.person.matrixId !== first.person.matrixId) {
    throw new ChatError("Somebody else has signed in here. Reload the page to go on.", { isPassing: false });
  }
  return session;
}

async function askHost(settings: HostSettings): Promise<string> {
  try {
    return await settings.getToken();
  } catch {
    throw new ChatError("The application could not sign you in to chat.", { isPassing: true });
  }
}
