import type { Media, Outgoing, Quote } from '@hongyan/sdk'
import { useEffect, useState } from 'preact/hooks'
import { t } from '../i18n'
import { fileSize } from '../i18n/time'
import { nameOrYou } from '../state/people'
import { go } from '../state/route'
import { Icon } from '../ui/icon'
import { MessageText } from './text'

type AnyContent = Outgoing['content']
type AnyMedia = NonNullable<AnyContent['image']>

/** What a message says. */
export function Body({ content: c }: { content: AnyContent }) {
  const words = (text: string | undefined) =>
    text ? <MessageText text={text} mentions={c.mentions ?? []} mentionAll={c.mentionAll ?? false} /> : null
  if (c.text !== undefined) return words(c.text)
  if (c.image) return <><Picture media={c.image} />{words(c.caption)}</>
  if (c.video) return <><FileCard media={c.video} kind={t('video')} />{words(c.caption)}</>
  if (c.voice) return <><Voice media={c.voice} />{words(c.caption)}</>
  if (c.file) return <><FileCard media={c.file} kind={t('file')} />{words(c.caption)}</>
  if (c.location) {
    const { latitude = 0, longitude = 0, name = '', address = '' } = c.location
    return (
      <div class="message-text" dir="auto">
        <strong>{name || t('location')}</strong>
        <div>{address}</div>
        <div class="row-sub">{latitude.toFixed(5)}, {longitude.toFixed(5)}</div>
        {words(c.caption)}
      </div>
    )
  }
  return words(c.caption) ?? <p class="unknown-content">{t('customMessage')}</p>
}

/** The address of an uploaded object; undefined for what is no reference of ours. */
function mediaAddress(media: AnyMedia): string | undefined {
  return media.ref && /^[\w-]{1,200}$/.test(media.ref) ? `/v1/media/${media.ref}` : undefined
}

const widest = 320
const highest = 360
const smallest = 96

/** The size at which a picture of that many pixels is shown, so that its place is there before it is. */
function sizeOf(media: AnyMedia): { width: number; height: number } {
  const w = media.width || 240
  const h = media.height || 180
  const scale = Math.min(1, widest / w, highest / h)
  return { width: Math.max(smallest, Math.round(w * scale)), height: Math.max(smallest / 2, Math.round(h * scale)) }
}

function Picture({ media }: { media: AnyMedia }) {
  const preview = useThumbnail(media.thumbnail as Media['thumbnail'] | undefined)
  const [broken, setBroken] = useState(false)
  const address = mediaAddress(media)
  const { width, height } = sizeOf(media)
  return (
    <a class="picture" href={address} target="_blank" rel="noopener noreferrer" aria-label={`${t('image')} ${media.name ?? ''}`} style={{ width: `${width}px`, aspectRatio: `${width} / ${height}` }}>
      {preview && <img class="picture-preview" src={preview} alt="" />}
      {address && !broken ? (
        <img src={address} alt={media.name ?? ''} width={width} height={height} loading="lazy" decoding="async" onError={() => setBroken(true)} />
      ) : (
        !preview && <Icon name="image" size={32} />
      )}
    </a>
  )
}

/** A blob: address for the bytes of a thumbnail, given back when it is not shown any more. */
function useThumbnail(bytes: Uint8Array | undefined): string | undefined {
  const [address, setAddress] = useState<string>()
  useEffect(() => {
    if (!bytes || bytes.length === 0) return
    const url = URL.createObjectURL(new Blob([bytes.slice()]))
    setAddress(url)
    return () => URL.revokeObjectURL(url)
  }, [bytes])
  return address
}

function Voice({ media }: { media: AnyMedia }) {
  const address = mediaAddress(media)
  if (!address) return <FileCard media={media} kind={t('voice')} />
  return <audio class="voice" src={address} controls preload="none" aria-label={t('voice')} />
}

function FileCard({ media, kind }: { media: AnyMedia; kind: string }) {
  const address = mediaAddress(media)
  const name = media.name || kind
  return (
    <a class="file-card" href={address} download={name} target="_blank" rel="noopener noreferrer" aria-label={`${t('download')}: ${name}`}>
      <span class="file-icon"><Icon name="file" size={22} /></span>
      <span class="row-text">
        <bdi class="cut">{name}</bdi>
        <span class="row-sub">{fileSize(Number(media.size ?? 0))}</span>
      </span>
    </a>
  )
}

/** The message that is answered; a press goes there. */
export function QuoteLine({ conversation, quote }: { conversation: string; quote: Partial<Quote> }) {
  return (
    <button type="button" class="quote" title={t('jumpToQuoted')}
      onClick={() => quote.ordinal && go({ page: 'chats', conversation, at: quote.ordinal }, true)}>
      <bdi class="cut quote-name">{quote.from ? nameOrYou(quote.from) : ''}</bdi>
      <bdi class="cut">{quote.excerpt}</bdi>
    </button>
  )
}
