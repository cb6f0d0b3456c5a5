/**
 * The heights of the rows of a long list: an estimate until a row was measured. Positions are found in logarithmic
 * time (a Fenwick tree), so 100,000 rows cost no more per frame than 100.
 */
export class Heights {
  private readonly rows: number[] = []
  private tree: Float64Array
  private room: number

  constructor(count: number, private readonly estimate: number) {
    this.room = capacity(count)
    this.tree = new Float64Array(this.room + 1)
    this.grow(count)
  }

  get count(): number {
    return this.rows.length
  }

  /** Height of all rows. */
  get total(): number {
    return this.above(this.count)
  }

  get(i: number): number {
    return this.rows[i] ?? 0
  }

  /** Sets what was measured; returns the difference to what was thought. */
  set(i: number, height: number): number {
    const difference = height - this.get(i)
    if (difference === 0 || i >= this.count) return 0
    this.rows[i] = height
    for (let at = i + 1; at <= this.room; at += at & -at) this.tree[at]! += difference
    return difference
  }

  /** Adds rows at the end until there are count. */
  grow(count: number): void {
    if (count <= this.count) return
    while (this.rows.length < count) this.rows.push(this.estimate)
    this.room = Math.max(this.room, capacity(count))
    this.tree = new Float64Array(this.room + 1)
    for (let at = 1; at <= this.room; at++) {
      this.tree[at]! += this.rows[at - 1] ?? 0
      const parent = at + (at & -at)
      if (parent <= this.room) this.tree[parent]! += this.tree[at]!
    }
  }

  /** Height of the first n rows: where row n begins. */
  above(n: number): number {
    let sum = 0
    for (let at = Math.min(n, this.count); at > 0; at -= at & -at) sum += this.tree[at]!
    return sum
  }

  /** The row at a distance from the top; the last one for what is below all of them. */
  at(y: number): number {
    let found = 0
    let rest = y
    for (let step = this.room; step > 0; step >>= 1) {
      const next = found + step
      if (next <= this.room && this.tree[next]! <= rest) {
        found = next
        rest -= this.tree[next]!
      }
    }
    return Math.max(0, Math.min(found, this.count - 1))
  }
}

function capacity(count: number): number {
  let room = 64
  while (room < count + count / 8) room *= 2
  return room
}
