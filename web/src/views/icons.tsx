/** The few pictures, drawn in the colour of the text around them. */
import type { JSX, ReactNode } from "react";

function Icon({ children }: { children: ReactNode }): JSX.Element {
  return (
    <svg
      className="icon"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const RoomIcon = (): JSX.Element => (
  <Icon>
    <path d="M7.8 3.5 6.2 16.5M13.8 3.5l-1.6 13M3.8 7.6h13M3.2 12.4h13" />
  </Icon>
);

export const AnnouncementIcon = (): JSX.Element => (
  <Icon>
    <path d="M3.5 8.2v3.6h2.7l7.3 3.7v-11L6.2 8.2H3.5ZM6.4 12l1 4.2h1.8L8.4 13M16 8.3a2.6 2.6 0 0 1 0 3.4" />
  </Icon>
);

export const SupportIcon = (): JSX.Element => (
  <Icon>
    <circle cx="10" cy="10" r="6.7" />
    <circle cx="10" cy="10" r="2.7" />
    <path d="m5.3 5.3 2.8 2.8m3.8 3.8 2.8 2.8m0-9.4-2.8 2.8m-3.8 3.8-2.8 2.8" />
  </Icon>
);

export const AllianceIcon = (): JSX.Element => (
  <Icon>
    <circle cx="7.6" cy="10" r="4.4" />
    <circle cx="12.4" cy="10" r="4.4" />
  </Icon>
);

export const AssistantIcon = (): JSX.Element => (
  <Icon>
    <path d="M9 3.2c.6 3.9 1.9 5.2 5.8 5.8-3.9.6-5.2 1.9-5.8 5.8-.6-3.9-1.9-5.2-5.8-5.8 3.9-.6 5.2-1.9 5.8-5.8ZM15.4 13c.2 1.5.7 2 2.2 2.2-1.5.2-2 .7-2.2 2.2-.2-1.5-.7-2-2.2-2.2 1.5-.2 2-.7 2.2-2.2Z" />
  </Icon>
);

export const AppIcon = (): JSX.Element => (
  <Icon>
    <path d="M11 2.8 4.6 11.3h4.6L8.6 17.2l6.8-8.9h-4.8L11 2.8Z" />
  </Icon>
);

export const BackIcon = (): JSX.Element => (
  <Icon>
    <path d="M12.2 4.5 6.7 10l5.5 5.5" />
  </Icon>
);

export const SendIcon = (): JSX.Element => (
  <Icon>
    <path d="M3.6 16.2 17 10 3.6 3.8l1.9 6.2-1.9 6.2ZM5.6 10h5.6" />
  </Icon>
);

export const PlusIcon = (): JSX.Element => (
  <Icon>
    <path d="M10 4.5v11M4.5 10h11" />
  </Icon>
);

export const CloseIcon = (): JSX.Element => (
  <Icon>
    <path d="m5.5 5.5 9 9m0-9-9 9" />
  </Icon>
);

export const DownIcon = (): JSX.Element => (
  <Icon>
    <path d="M10 4v12m0 0 4.8-4.8M10 16l-4.8-4.8" />
  </Icon>
);

export const SpeechIcon = (): JSX.Element => (
  <Icon>
    <path d="M4.4 4.2h11.2c.7 0 1.2.5 1.2 1.2v7.2c0 .7-.5 1.2-1.2 1.2H9.4L5.9 16.6v-2.8H4.4c-.7 0-1.2-.5-1.2-1.2V5.4c0-.7.5-1.2 1.2-1.2Z" />
  </Icon>
);
