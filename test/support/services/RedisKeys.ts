import { connect } from "node:net"

const encode = (...parts: ReadonlyArray<string>) =>
  `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`

const erase = `local cursor = "0"
repeat
  local page = redis.call("SCAN", cursor, "MATCH", ARGV[1] .. "*", "COUNT", 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do redis.call("UNLINK", key) end
until cursor == "0"
return "erased"`

/** Removes every key that begins with `prefix` (or holds it as its hash tag) from a Redis that is not ours to throw away. */
export const eraseKeys = (url: string, prefix: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const { hostname, password, port, username } = new URL(url)
    const socket = connect({ host: hostname, port: port === "" ? 6379 : Number(port), timeout: 10_000 })
    let answer = ""
    socket.once("connect", () => {
      if (password !== "")
        socket.write(encode("AUTH", decodeURIComponent(username || "default"), decodeURIComponent(password)))
      for (const pattern of [prefix, `{${prefix}`]) socket.write(encode("EVAL", erase, "0", pattern))
    })
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text
      if (answer.includes("\n-") || answer.startsWith("-")) socket.destroy(new Error(answer.trim()))
      else if (answer.split("erased").length > 2) socket.end(resolve)
    })
    socket.once("timeout", () => socket.destroy(new Error("Redis did not answer")))
    socket.once("error", reject)
  })
