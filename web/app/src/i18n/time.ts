// Times and dates as people say them, in the chosen language.
import { locale, t } from '.'

type Options = Intl.DateTimeFormatOptions
const made = new Map<string, Intl.DateTimeFormat>()

function format(ms: number, options: Options): string {
  const key = locale.value + JSON.stringify(options)
  let f = made.get(key)
  if (!f) made.set(key, (f = new Intl.DateTimeFormat(locale.value, options)))
  return f.format(ms)
}

/** The day of a time as a number that grows by one each day, by the local calendar. */
export function dayOf(ms: number): number {
  const d = new Date(ms)
  return Math.round(Date.UTC(d.getFullYear(), d.getMonth(), d.getDate()) / 86_400_000)
}

export function clock(ms: number): string {
  return format(ms, { hour: 'numeric', minute: '2-digit' })
}

/** For the heading of a day: "Today", "Yesterday", "Tuesday", "3 March", "3 March 2024". */
export function dayName(ms: number, now = Date.now()): string {
  const ago = dayOf(now) - dayOf(ms)
  if (ago === 0) return t('today')
  if (ago === 1) return t('yesterday')
  if (ago > 1 && ago < 7) return format(ms, { weekday: 'long' })
  const sameYear = new Date(ms).getFullYear() === new Date(now).getFullYear()
  return format(ms, { day: 'numeric', month: 'long', ...(sameYear ? {} : { year: 'numeric' }) })
}

/** For a list: the clock today, then the day. */
export function shortTime(ms: number, now = Date.now()): string {
  const ago = dayOf(now) - dayOf(ms)
  if (ago <= 0) return clock(ms)
  if (ago === 1) return t('yesterday')
  if (ago < 7) return format(ms, { weekday: 'short' })
  return format(ms, { day: 'numeric', month: 'numeric', ...(ago > 300 ? { year: '2-digit' } : {}) })
}

/** Day and clock in full, as for a tooltip. */
export function fullTime(ms: number): string {
  return format(ms, { dateStyle: 'medium', timeStyle: 'short' })
}

/** A size in bytes: "820 B", "1.4 MB". */
export function fileSize(bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const
  const step = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** step
  return new Intl.NumberFormat(locale.value, {
    style: 'unit', unit: units[step], unitDisplay: 'short', maximumFractionDigits: value < 10 && step > 0 ? 1 : 0,
  }).format(value)
}
