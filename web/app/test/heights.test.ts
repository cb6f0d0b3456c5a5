import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Heights } from '../src/chat/heights.js'

// A generator of its own, so that a failure can be repeated (Park and Miller).
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => (state = (state * 48271) % 2147483647) % below
}

test('places of rows are sums of heights, whatever is measured and added', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const draw = random(seed)
    const heights = new Heights(draw(200), 40)
    const plain: number[] = Array.from({ length: heights.count }, () => 40)
    for (let step = 0; step < 200; step++) {
      if (draw(10) === 0) {
        heights.grow(plain.length + draw(100))
        while (plain.length < heights.count) plain.push(40)
      } else if (plain.length > 0) {
        const i = draw(plain.length)
        const height = draw(300)
        assert.equal(heights.set(i, height), height - plain[i]!)
        plain[i] = height
      }
    }
    let sum = 0
    for (const [i, height] of plain.entries()) {
      assert.equal(heights.above(i), sum, `seed ${seed}, row ${i}`)
      if (height > 0) {
        assert.equal(heights.at(sum), i, `seed ${seed}: the first pixel of row ${i}`)
        assert.equal(heights.at(sum + height - 1), i, `seed ${seed}: the last pixel of row ${i}`)
      }
      sum += height
    }
    assert.equal(heights.total, sum)
    if (plain.length > 0) assert.equal(heights.at(sum + 1000), plain.length - 1)
  }
})

test('a row that is not there changes nothing', () => {
  const heights = new Heights(3, 10)
  assert.equal(heights.set(3, 50), 0)
  heights.grow(2)
  assert.equal(heights.count, 3)
  assert.equal(heights.total, 30)
})
