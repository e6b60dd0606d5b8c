// The Node contestants of benches/masking.rs, which says on standard input what to measure: as benches/peer.py.
//   node benches/peer.js FOLDER   (where the peer is installed)
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const { createRequire } = require('node:module')

const contestants = { json: (body) => JSON.stringify(JSON.parse(body)) }
const say = (line) => fs.writeSync(1, `${line}\n`)
try {
  const { SessionRecorderSdk } = createRequire(path.resolve(process.argv[2], 'x.js'))('@multiplayer-app/session-recorder-node')
  contestants.peer = SessionRecorderSdk.mask(SessionRecorderSdk.sensitiveFields)
} catch (e) {
  say(`absent peer: @multiplayer-app/session-recorder-node is not installed (${e.code})`)
}
for (const name of Object.keys(contestants)) say(`ready ${name}`)
say('go')

const folders = {}
const read = (folder) => fs.readdirSync(folder).filter((name) => name.endsWith('.in')).sort()
  .map((name) => fs.readFileSync(path.join(folder, name), 'utf8'))
let kept = 0 // so that the work is not found useless and left out

require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [name, folder, , times] = line.split('\t')
  const bodies = (folders[folder] ??= read(folder))
  const one = contestants[name]
  if (times === '0') {
    say(bodies.reduce((count, body) => count + one(body).split('***MASKED***').length - 1, 0))
    return
  }
  for (const body of bodies) kept += one(body).length
  const begin = process.cpuUsage()
  for (let i = 0; i < +times; i++) for (const body of bodies) kept += one(body).length
  const { user, system } = process.cpuUsage(begin)
  say((user + system) * 1000 / +times)
}).on('close', () => process.exit(kept < 0 ? 1 : 0))
