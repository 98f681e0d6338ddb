/** Careful reading of JSON that somebody else wrote. */

export type JsonRecord = Record<string, unknown>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Return the text at `key`, or null when there is none. */
export function readString(record: JsonRecord, key: string): string | null {
  const value = record[key];
  return typeof value === "string" ? value : null;
}

/** Return the text at `key`, or an empty one. */
export function readText(record: JsonRecord, key: string): string {
  return readString(record, key) ?? "";
}

/** Return the object at `key`, or an empty one. */
export function readRecord(record: JsonRecord, key: string): JsonRecord {
  const value = record[key];
  return isRecord(value) ? value : {};
}

/** Return the list at `key`, or an empty one. */
export function readArray(record: JsonRecord, key: string): readonly unknown[] {
  const value = record[key];
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
