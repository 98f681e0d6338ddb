import { useSyncExternalStore } from "react";
import type { Readable } from "../models/cell";

/** Draw again whenever `readable` changes. */
export function useReadable<T>(readable: Readable<T>): T {
  return useSyncExternalStore(readable.subscribe, readable.get);
}
