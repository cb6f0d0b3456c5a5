import { encode } from 'uqr'

/** A QR code of a text, black on white in every theme: cameras read it so. */
export function QRCode({ text, size = 220, label }: { text: string; size?: number; label: string }) {
  const { data, size: modules } = encode(text, { ecc: 'M', border: 2 })
  let path = ''
  for (const [y, line] of data.entries()) {
    for (const [x, dark] of line.entries()) if (dark) path += `M${x} ${y}h1v1h-1z`
  }
  return (
    <svg class="qr" width={size} height={size} viewBox={`0 0 ${modules} ${modules}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect width={modules} height={modules} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
