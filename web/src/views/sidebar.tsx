/** The tenant's rooms, by section, with what is unread. */
import type { JSX, KeyboardEvent } from "react";
import type { Tenant } from "../models/person";
import type { Room, RoomType } from "../models/room";
import type { RoomSection } from "../viewmodels/room-list";
import { words } from "../viewmodels/words";
import { Face, Initials } from "./avatar";
import { AllianceIcon, AnnouncementIcon, AssistantIcon, PlusIcon, RoomIcon, SupportIcon } from "./icons";

export interface SidebarProps {
  readonly tenant: Tenant;
  readonly sections: readonly RoomSection[];
  readonly openRoomId: string | undefined;
  readonly onChoose: (roomId: string) => void;
  readonly onBegin: (what: "message" | "ticket") => void;
}

export function Sidebar({ tenant, sections, openRoomId, onChoose, onBegin }: SidebarProps): JSX.Element {
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
            <div className="section-head">
              <h3 className="section-title" id={`section-${section.key}`}>
                {section.title}
              </h3>
              {section.begins && <BeginButton what={section.begins} onBegin={onBegin} />}
            </div>
            <RoomButtons rooms={section.rooms} openRoomId={openRoomId} onChoose={onChoose} />
            {section.closed.length > 0 && (
              <details className="closed">
                <summary className="closed-title">{words.roomsClosed(section.closed.length)}</summary>
                <RoomButtons rooms={section.closed} openRoomId={openRoomId} onChoose={onChoose} />
              </details>
            )}
          </section>
        ))}
      </nav>
    </div>
  );
}

type BeginButtonProps = Pick<SidebarProps, "onBegin"> & { readonly what: "message" | "ticket" };

function BeginButton({ what, onBegin }: BeginButtonProps): JSX.Element {
  const label = what === "message" ? words.newMessage : words.newTicket;
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      onClick={() => {
        onBegin(what);
      }}
    >
      <PlusIcon />
    </button>
  );
}

interface RoomButtonsProps {
  readonly rooms: readonly Room[];
  readonly openRoomId: string | undefined;
  readonly onChoose: (roomId: string) => void;
}

function RoomButtons({ rooms, openRoomId, onChoose }: RoomButtonsProps): JSX.Element | null {
  if (rooms.length === 0) return null;
  return (
    <ul>
      {rooms.map((room) => (
        <li key={room.roomId}>
          <RoomButton room={room} isOpen={room.roomId === openRoomId} onChoose={onChoose} />
        </li>
      ))}
    </ul>
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
  if (room.type === "dm") {
    const { person } = room;
    return (
      <Face name={room.name} seed={person?.matrixId ?? room.roomId} avatarUrl={person?.avatarUrl ?? ""} />
    );
  }
  const Sign = SIGNS[room.type];
  return <Sign />;
}

/** Arrow keys go from room to room; Tab goes there too, for those who know only that. */
function moveByArrows(event: KeyboardEvent<HTMLButtonElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const list = event.currentTarget.closest("nav");
  if (step === undefined || !list) return;
  event.preventDefault();
  const all = [...list.querySelectorAll<HTMLButtonElement>("button[data-room]")];
  const buttons = all.filter((button) => button.checkVisibility()); // closed tickets may be folded away
  buttons[buttons.indexOf(event.currentTarget) + step]?.focus();
}
