// A bot as people write them with npm's wechat4u, for the tests of package interop: it does what it reads on standard
// input, a JSON object in each line, and writes what happens to standard output in the same way. Nothing of the library is
// changed and no host is named: HTTPS_PROXY and NODE_EXTRA_CA_CERTS lead it to the server. The file given keeps its session.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import readline from 'node:readline'
import Wechat from 'wechat4u'

const file = process.argv[2]
const print = process.stdout.write.bind(process.stdout)
const tell = (e) => print(JSON.stringify(e) + '\n')
console.log = console.error // the library prints
const sum = (b) => createHash('sha256').update(Buffer.from(b)).digest('hex')

const bot = fs.existsSync(file) ? new Wechat(JSON.parse(fs.readFileSync(file))) : new Wechat()
const save = () => fs.writeFileSync(file, JSON.stringify(bot.botData))
let last

bot.on('uuid', (uuid) => tell({ event: 'uuid', id: uuid }))
bot.on('login', () => { save(); tell({ event: 'login', name: bot.user.NickName }) })
bot.on('logout', () => tell({ event: 'logout' }))
bot.on('error', (e) => console.error('error', e.tips || '', e.message || e))
bot.on('message', async (m) => {
  save()
  const e = { event: 'message', id: m.MsgId, kind: String(m.MsgType), text: m.Content }
  const from = bot.contacts[m.FromUserName]
  e.from = m.isSendBySelf ? bot.user.NickName : from ? from.NickName : ''
  if (m.FromUserName.startsWith('@@')) {
    const at = e.text.indexOf(':\n')
    if (at >= 0) [e.sender, e.text] = [e.text.slice(0, at), e.text.slice(at + 2)]
  }
  try {
    switch (m.MsgType) {
      case bot.CONF.MSGTYPE_TEXT: e.kind = 'text'; break
      case bot.CONF.MSGTYPE_SYS: e.kind = 'system'; break
      case bot.CONF.MSGTYPE_RECALLED:
        e.kind = 'recall'
        e.text = e.text.match(/<newmsgid>(\d+)</)[1]
        break
      case bot.CONF.MSGTYPE_IMAGE:
        e.kind = 'picture'
        e.text = sum((await bot.getMsgImg(m.MsgId)).data)
        break
      case bot.CONF.MSGTYPE_APP:
        e.kind = 'file'
        e.text = m.FileName + ' ' + sum((await bot.getDoc(m.FromUserName, m.MediaId, m.FileName)).data)
        break
      case bot.CONF.MSGTYPE_VERIFYMSG:
        e.kind = 'asks'
        await bot.verifyUser(m.RecommendInfo.UserName, m.RecommendInfo.Ticket)
    }
  } catch (err) {
    e.error = String(err.message || err)
  }
  tell(e)
})

// find returns the name of a contact by its nickname.
async function find(nick) {
  if (nick === 'filehelper') return nick
  const known = () => Object.values(bot.contacts).find((c) => c.NickName === nick)
  if (!known()) bot.updateContacts(await bot._getContact())
  if (!known()) throw new Error(`nobody is called ${nick}`)
  return known().UserName
}

async function carryOut(o) {
  switch (o.do) {
    case 'text': {
      const to = await find(o.to)
      last = { id: (await bot.sendText(o.text, to)).MsgID, to }
      return { id: last.id }
    }
    case 'image':
    case 'file': {
      const to = await find(o.to)
      last = { id: (await bot.sendMsg({ file: fs.createReadStream(o.file) }, to)).MsgID, to }
      return { id: last.id }
    }
    case 'revoke':
      await bot.revokeMsg(last.id, last.to)
      return {}
    case 'contacts':
      bot.updateContacts(await bot._getContact())
      return { text: Object.values(bot.contacts).map((c) => c.NickName).join(',') }
    case 'group': {
      const members = []
      for (const name of o.members) members.push({ UserName: await find(name) })
      const r = await bot.createChatroom(o.topic, members)
      const list = await bot.batchGetContact([{ UserName: r.ChatRoomName }])
      bot.updateContacts(list)
      return { id: r.ChatRoomName, text: String(list[0].MemberCount) }
    }
    case 'add':
    case 'remove':
      await bot.updateChatroom(await find(o.to), [await find(o.members[0])], o.do === 'add' ? 'addmember' : 'delmember')
      return {}
    case 'rename':
      await bot.updateChatRoomName(await find(o.to), o.topic)
      return {}
    case 'remark':
      await bot.updateRemarkName(await find(o.to), o.text)
      return {}
    case 'pin':
      await bot.opLog(await find(o.to), 1, '')
      return {}
    case 'avatar': {
      const head = await bot.getHeadImg(bot.contacts[await find(o.to)].HeadImgUrl)
      return { text: String(head.data.length > 100 && head.type === 'image/jpeg') }
    }
    case 'logout':
      bot.stop()
      return {}
  }
  throw new Error(`what is ${o.do}?`)
}

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  try {
    tell({ event: 'done', ...(await carryOut(JSON.parse(line))) })
  } catch (err) {
    tell({ event: 'done', error: String(err.message || err) })
  }
}).on('close', () => process.exit(0))

if (bot.PROP.uin) bot.restart(); else bot.start()
