/** One server-sent event. */
export interface ServerEvent {
  /** message if it has no name. */
  name: string;
  data: string;
  /** The last id that the stream has given, as it stands at this event. */
  id: string;
}

/** The longest event that is read: a page of Sync has about 512 KiB. */
const maxEvent = 4 << 20;

/** EventReader takes the text of a stream in any pieces and gives its events (HTML Standard §9.2.6). */
export class EventReader {
  private rest = '';
  private data: string[] = [];
  private name = '';
  private id = '';
  private size = 0;

  /** The events that a piece completes. */
  feed(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const text = this.rest + piece;
    let begin = 0;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (c !== '\n' && c !== '\r') continue;
      // A return at the very end may be half of a line end.
      if (c === '\r' && i === text.length - 1) break;
      this.line(text.slice(begin, i), events);
      if (c === '\r' && text[i + 1] === '\n') i++;
      begin = i + 1;
    }
    this.rest = text.slice(begin);
    if (this.rest.length + this.size > maxEvent) throw new RangeError('the event is too long');
    return events;
  }

  private line(line: string, events: ServerEvent[]): void {
    if (line === '') {
      if (this.data.length > 0) events.push({ name: this.name || 'message', data: this.data.join('\n'), id: this.id });
      this.data = [];
      this.name = '';
      this.size = 0;
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'data') {
      this.data.push(value);
      this.size += value.length;
    } else if (field === 'event') {
      this.name = value;
    } else if (field === 'id' && !value.includes('\0')) {
      this.id = value;
    }
  }
}
