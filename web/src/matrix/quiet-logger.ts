/**
 * Silences the logger that the SDK's parts share; the console belongs to the host application.
 *
 * Import this before anything else of the SDK: some of its files take hold of the log functions when they load.
 */
import { logger } from "matrix-js-sdk/lib/logger.js";

// eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated for those who log, not for those who silence
const shared = logger as unknown as { setLevel(level: "silent", isRemembered: boolean): void };
shared.setLevel("silent", false);
