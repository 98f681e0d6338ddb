/** A face for everybody: initials on a colour of their own, a sign for bots. */
import type { JSX } from "react";
import type { Sender } from "../models/message";
import { AppIcon, AssistantIcon } from "./icons";
import { usePicture } from "./pictures";

const HUES = 8;

export function Avatar({ sender }: { sender: Sender }): JSX.Element {
  if (sender.kind === "ai") {
    return (
      <span className="avatar avatar-ai" aria-hidden="true">
        <AssistantIcon />
      </span>
    );
  }
  if (sender.kind === "app") {
    return (
      <span className="avatar avatar-app" aria-hidden="true">
        <AppIcon />
      </span>
    );
  }
  return <Initials name={sender.name} seed={sender.matrixId} />;
}

export function Initials({ name, seed }: { name: string; seed: string }): JSX.Element {
  return (
    <span className={`avatar hue-${hueOf(seed)}`} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}

/** A person's picture where they have one, their initials until it is there. */
export function Face({
  name,
  seed,
  avatarUrl,
}: {
  name: string;
  seed: string;
  avatarUrl: string;
}): JSX.Element {
  const address = usePicture(avatarUrl);
  if (address === null) return <Initials name={name} seed={seed} />;
  return <img className="avatar" src={address} alt="" />;
}

function initialsOf(name: string): string {
  const parts = name.split(/\s+/).filter((part) => /^\p{L}|^\p{N}/u.test(part));
  const letters = [parts[0], parts.length > 1 ? parts.at(-1) : undefined].map(
    (part) => Array.from(part ?? "")[0] ?? "",
  );
  return letters.join("").toLocaleUpperCase() || "?";
}

function hueOf(seed: string): number {
  let hash = 0x811c9dc5; // FNV-1a: ids that differ in one letter get colours that differ
  for (const character of seed) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 16) % HUES;
}
