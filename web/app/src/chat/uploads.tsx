// Files on their way to the server. A message is sent when its file is there; until then this page has to stay.
import type { Media } from '@hongyan/sdk'
import { signal } from '@preact/signals'
import { t } from '../i18n'
import { client } from '../state/client'
import { messageOf } from '../state/problem'
import { IconButton } from '../ui/button'
import { Icon } from '../ui/icon'

interface Upload {
  id: number
  conversation: string
  file: File
  percent: number
  problem?: string
  abort: AbortController
}

const uploads = signal<readonly Upload[]>([])
const mostAtOnce = 20
let next = 1

// Whoever leaves the page in the middle of an upload is asked.
addEventListener('beforeunload', (e) => {
  if (uploads.peek().some((u) => !u.problem)) e.preventDefault()
})

/** Sends files to a conversation, each as a message of its own. */
export function sendFiles(conversation: string, files: Iterable<File>): void {
  for (const file of [...files].slice(0, mostAtOnce)) {
    const upload: Upload = { id: next++, conversation, file, percent: 0, abort: new AbortController() }
    uploads.value = [...uploads.value, upload]
    void run(upload)
  }
}

async function run(u: Upload): Promise<void> {
  try {
    const media = await client().upload(u.file, {
      name: u.file.name.slice(0, 120),
      signal: u.abort.signal,
      onProgress: (done, all) => change(u.id, { percent: Math.floor((100 * done) / Math.max(1, all)) }),
    })
    client().send({ conversation: u.conversation }, contentOf(media)).acknowledged.catch(() => {
      // The outbox shows it with its red mark.
    })
    drop(u.id)
  } catch (e) {
    if (u.abort.signal.aborted) drop(u.id)
    else change(u.id, { problem: messageOf(e) })
  }
}

/** A picture that the server could read is shown as one. */
function contentOf(media: Media) {
  return media.mime.startsWith('image/') && media.width > 0 ? { image: media } : media.mime.startsWith('video/') ? { video: media } : { file: media }
}

function change(id: number, p: Partial<Upload>): void {
  uploads.value = uploads.value.map((u) => (u.id === id ? { ...u, ...p } : u))
}

function drop(id: number): void {
  uploads.value = uploads.value.filter((u) => u.id !== id)
}

function again(u: Upload): void {
  const fresh: Upload = { id: u.id, conversation: u.conversation, file: u.file, percent: 0, abort: new AbortController() }
  uploads.value = uploads.value.map((o) => (o.id === u.id ? fresh : o))
  void run(fresh)
}

/** The files on their way to a conversation, above the composer. */
export function Uploads({ conversation }: { conversation: string }) {
  const list = uploads.value.filter((u) => u.conversation === conversation)
  if (list.length === 0) return null
  return (
    <ul class="uploads">
      {list.map((u) => (
        <li key={u.id} class="upload">
          <Icon name={u.file.type.startsWith('image/') ? 'image' : 'file'} size={20} />
          <div class="row-text">
            <bdi class="cut">{u.file.name}</bdi>
            {u.problem ? (
              <span class="field-error" role="alert">{u.problem}</span>
            ) : (
              <progress max={100} value={u.percent} aria-label={t('uploading', { name: u.file.name, percent: u.percent })} />
            )}
          </div>
          {u.problem && <IconButton icon="refresh" label={t('retry')} size={18} onClick={() => again(u)} />}
          <IconButton icon="close" label={`${t('cancel')}: ${u.file.name}`} size={18}
            onClick={() => {
              u.abort.abort()
              drop(u.id)
            }} />
        </li>
      ))}
    </ul>
  )
}

/** The files of a drop or a paste; none if it holds something else. */
export function filesOf(data: DataTransfer | null): File[] {
  return [...(data?.files ?? [])]
}
