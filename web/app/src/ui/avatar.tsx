import { useState } from 'preact/hooks'

/** A hue that stays the same for an account or group, wherever it is shown. */
export function hueOf(id: string): number {
  let h = 2166136261
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 16777619)
  return (h >>> 0) % 360
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** One letter for ideographs, up to two for names of several words. */
function initialsOf(name: string): string {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean)
  const first = (s: string | undefined) => (s ? ([...segmenter.segment(s.slice(0, 64))][0]?.segment ?? '') : '')
  const one = first(words[0])
  if (one === '' || /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u.test(one)) return one
  // A letter under a tower of accents is reduced to the letter.
  const clean = (s: string) => [...s.normalize('NFC')].slice(0, 2).join('').toUpperCase()
  return clean(one) + (words.length > 1 ? clean(first(words[words.length - 1])) : '')
}

interface AvatarProps {
  /** Account or group: decides the colour. */
  id: string
  name: string
  /** A media reference, or an http(s) address on this host. Empty: the initials. */
  image?: string
  size?: number
}

/** A decorative picture of somebody; the name stands beside it. */
export function Avatar({ id, name, image, size = 44 }: AvatarProps) {
  const [broken, setBroken] = useState<string>()
  const source = avatarSource(image)
  const hue = hueOf(id)
  return (
    <span
      class="avatar"
      aria-hidden="true"
      data-initials={initialsOf(name) || '?'}
      style={{ width: `${size}px`, height: `${size}px`, fontSize: `${Math.round(size * 0.38)}px`, background: `oklch(var(--person) ${hue})` }}
    >
      {source && broken !== source && (
        <img src={source} alt="" width={size} height={size} decoding="async" onError={() => setBroken(source)} />
      )}
    </span>
  )
}

/** Only objects of this server are loaded: an address elsewhere would tell a stranger who looks. */
function avatarSource(image: string | undefined): string | undefined {
  if (!image || !/^[\w-]{1,200}$/.test(image)) return undefined
  return `/v1/media/${image}/thumbnail`
}
