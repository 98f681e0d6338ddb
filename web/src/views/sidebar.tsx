/** The tenant's rooms, by section, with what is unread. */
import type { JSX, KeyboardEvent } from "react";
import type { Tenant } from "../models/person";
import type { Room, RoomType } from "../models/room";
import type { RoomSection } from "../viewmodels/room-list";
import { words } from "../viewmodels/words";
import { Initials } from "./avatar";
import { AllianceIcon, AnnouncementIcon, AssistantIcon, RoomIcon, SupportIcon } from "./icons";

export interface SidebarProps {
  readonly tenant: Tenant;
  readonly sections: readonly RoomSection[];
  readonly openRoomId: string | undefined;
  readonly onChoose: (roomId: string) => void;
}

export function Sidebar({ tenant, sections, openRoomId, onChoose }: SidebarProps): JSX.Element {
  return (
    <div className="sidebar">
      <header className="tenant">
        <Initials name={tenant.name} seed={tenant.tenantId} />
        <div className="tenant-words">
          <h2 className="tenant-name">{tenant.name}</h2>
          <p className="tenant-role">{words.roles[tenant.role]}</p>
        </div>
      </header>
      <nav className="rooms" aria-label={words.roomList}>
        {sections.map((section) => (
          <section key={section.key} aria-labelledby={`section-${section.key}`}>
            <h3 className="section-title" id={`section-${section.key}`}>
              {section.title}
            </h3>
            <ul>
              {section.rooms.map((room) => (
                <li key={room.roomId}>
                  <RoomButton room={room} isOpen={room.roomId === openRoomId} onChoose={onChoose} />
                </li>
              ))}
            </ul>
          </section>
        ))}
      </nav>
    </div>
  );
}

interface RoomButtonProps {
  readonly room: Room;
  readonly isOpen: boolean;
  readonly onChoose: (roomId: string) => void;
}

function RoomButton({ room, isOpen, onChoose }: RoomButtonProps): JSX.Element {
  return (
    <button
      type="button"
      className="room"
      data-room
      data-unread={room.unread > 0 || undefined}
      aria-current={isOpen ? "page" : undefined}
      onKeyDown={moveByArrows}
      onClick={() => {
        onChoose(room.roomId);
      }}
    >
      {roomSign(room)}
      <span className="room-name" dir="auto">
        {room.name}
      </span>
      {room.unread > 0 && (
        <span className="count" data-highlight={room.highlights > 0 || undefined}>
          <span aria-hidden="true">{room.unread > 99 ? "99+" : room.unread}</span>
          <span className="hidden">{words.unread(room.unread)}</span>
        </span>
      )}
    </button>
  );
}

const SIGNS: Readonly<Record<Exclude<RoomType, "dm">, () => JSX.Element>> = {
  general: RoomIcon,
  custom: RoomIcon,
  announcement: AnnouncementIcon,
  support: SupportIcon,
  alliance: AllianceIcon,
  ai: AssistantIcon,
};

export function roomSign(room: Room): JSX.Element {
  if (room.type === "dm") return <Initials name={room.name} seed={room.roomId} />;
  const Sign = SIGNS[room.type];
  return <Sign />;
}

/** Arrow keys go from room to room; Tab goes there too, for those who know only that. */
function moveByArrows(event: KeyboardEvent<HTMLButtonElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const list = event.currentTarget.closest("nav");
  if (step === undefined || !list) return;
  event.preventDefault();
  const buttons = [...list.querySelectorAll<HTMLButtonElement>("button[data-room]")];
  buttons[buttons.indexOf(event.currentTarget) + step]?.focus();
}
