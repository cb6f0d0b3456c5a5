// Draws the PNG icons of the manifest from public/icon.svg. Run it when the drawing changes: node scripts/icons.mjs
import { readFile } from 'node:fs/promises'
import { launch } from './browser.mjs'

const svg = await readFile(new URL('../public/icon.svg', import.meta.url), 'utf8')
// A maskable icon fills its square; what matters lies within the middle four fifths.
const maskable = svg.replace(' rx="15"', '').replace('<path ', '<path transform="translate(32 32) scale(.8) translate(-32 -32)" ')
const browser = await launch()
for (const [name, size, drawing] of [['icon-192', 192, svg], ['icon-512', 512, svg], ['icon-maskable-512', 512, maskable]]) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px}</style>${drawing}`)
  await page.screenshot({ path: new URL(`../public/${name}.png`, import.meta.url).pathname, omitBackground: true })
  await page.close()
}
await browser.close()
