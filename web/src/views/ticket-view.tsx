/** What the room of a ticket shows beside the conversation: how it stands, and how content its opener is. */
import type { JSX } from "react";
import type { Ticket } from "../models/bridge";
import type { TicketsViewModel } from "../viewmodels/tickets";
import { words } from "../viewmodels/words";
import { useReadable } from "./use-readable";

export interface TicketViewProps {
  readonly ticket: Ticket;
  readonly tickets: TicketsViewModel;
}

const RATINGS = [1, 2, 3, 4, 5] as const;

/** Number, status and assignee; whoever may not close it hears why from the server. */
export function TicketBar({ ticket, tickets, isGuest }: TicketViewProps & { isGuest: boolean }): JSX.Element {
  const trouble = useReadable(tickets.trouble);
  return (
    <div className="ticket">
      <p className="ticket-facts">
        <span className="ticket-number">{words.ticketNumber(ticket.number)}</span>
        <span className="ticket-status" data-status={ticket.status}>
          {words.ticketStatus[ticket.status]}
        </span>
        <span className="ticket-assignee" dir="auto">
          {ticket.assignee === null ? words.ticketUnassigned : words.ticketAssigned(ticket.assignee)}
        </span>
      </p>
      {ticket.status !== "closed" && !isGuest && (
        <button
          type="button"
          className="button button-quiet button-small"
          onClick={() => void tickets.change(ticket.ticketId, { status: "closed" })}
        >
          {words.closeTicket}
        </button>
      )}
      {trouble && (
        <p className="ticket-trouble" role="alert">
          {trouble}
        </p>
      )}
    </div>
  );
}

/** What stands in the composer's place once a ticket is closed. */
export function ClosedTicket({ ticket, tickets, isOwn }: TicketViewProps & { isOwn: boolean }): JSX.Element {
  return (
    <div className="no-composer">
      <p>
        {words.ticketClosed}{" "}
        <button
          type="button"
          className="link"
          onClick={() => void tickets.change(ticket.ticketId, { status: "open" })}
        >
          {words.reopen}
        </button>
      </p>
      {isOwn && <Satisfaction ticket={ticket} tickets={tickets} />}
    </div>
  );
}

function Satisfaction({ ticket, tickets }: TicketViewProps): JSX.Element {
  if (ticket.satisfaction !== null) return <p role="status">{words.rated(ticket.satisfaction)}</p>;
  return (
    <div className="ratings" role="group" aria-labelledby="rate">
      <p id="rate">{words.rate}</p>
      <p className="rating-row">
        {RATINGS.map((stars) => (
          <button
            key={stars}
            type="button"
            className="rating"
            aria-label={words.rating(stars)}
            onClick={() => void tickets.change(ticket.ticketId, { satisfaction: stars })}
          >
            {stars}
          </button>
        ))}
      </p>
    </div>
  );
}
