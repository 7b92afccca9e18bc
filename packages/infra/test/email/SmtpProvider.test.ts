import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Redacted, Scope } from "effect"
import { dkimVerify } from "mailauth"
import { generateKeyPairSync } from "node:crypto"
import type { Socket } from "node:net"
import * as SmtpProvider from "../../src/email/SmtpProvider.ts"
import { emailTo, outgoing } from "./EmailFixture.ts"
import { OutboundPost } from "../../src/webhook/OutboundPost.ts"
import * as Smtp from "./SmtpFixture.ts"

const from = "Acme <no-reply@acme.example>"

const connected = (
  port: number,
  settings: Partial<SmtpProvider.SmtpSettings> = {},
  { scheme = "smtp", user = "" }: { readonly scheme?: string; readonly user?: string } = {}
) =>
  SmtpProvider.make({
    url: Redacted.make(`${scheme}://${user}localhost:${port}`),
    from,
    startTls: "never",
    timeout: "5 seconds",
    ...settings
  })

const plain = (line: string): string | undefined => {
  if (line.startsWith("EHLO")) return "250 loopback"
  if (/^(MAIL|RCPT|RSET)/.test(line)) return "250 OK"
  if (line === "DATA") return "354 go on"
  if (line === ".") return "250 taken"
  return line === "QUIT" ? "221 bye" : undefined
}

const refusals: ReadonlyArray<readonly [stage: string, reply: string, failureClass: string, code: string]> = [
  ["MAIL FROM", "550 5.7.1 Sender refused", "permanent", "550 5.7.1"],
  ["MAIL FROM", "530 5.7.0 Authentication required", "credentials", "530 5.7.0"],
  ["MAIL FROM", "421 4.3.2 Shutting down", "transient", "421 4.3.2"],
  ["MAIL FROM", "503 5.5.1 Bad sequence", "transient", "503 5.5.1"],
  ["RCPT TO", "550 5.1.1 No such user", "unreachable", "bounce"],
  ["RCPT TO", "553 5.1.3 Bad address", "unreachable", "bounce"],
  ["RCPT TO", "556 5.1.10 Null MX", "unreachable", "bounce"],
  ["RCPT TO", "550 5.7.1 Relaying denied", "permanent", "550 5.7.1"],
  ["RCPT TO", "550 No", "permanent", "550"],
  ["RCPT TO", "450 4.2.0 Greylisted, try again", "transient", "450 4.2.0"],
  ["RCPT TO", "452 4.2.2 Mailbox full", "transient", "452 4.2.2"],
  ["DATA", "554 5.6.0 Looks like spam", "permanent", "554 5.6.0"],
  ["DATA", "550 5.1.1 Not a verdict on the address here", "permanent", "550 5.1.1"],
  ["DATA", "451 4.3.0 Local error", "transient", "451 4.3.0"]
]

const refusing = (stage: string, reply: string) => {
  const error = Smtp.refusal(reply)
  if (stage === "MAIL FROM") return Smtp.start({ onMailFrom: (_address, _session, done) => done(error) })
  if (stage === "RCPT TO") return Smtp.start({ onRcptTo: (_address, _session, done) => done(error) })
  return Smtp.start({
    onData: (stream, _session, done) => {
      stream.resume()
      stream.on("end", () => done(error))
    }
  })
}

describe("SmtpProvider", () => {
  it.live(
    "one message: text and HTML, a Message-ID of the delivery, one-click unsubscribe, over TLS with a login",
    () =>
      Effect.gen(function* () {
        const server = yield* Smtp.start({ secure: true })
        const provider = yield* connected(server.port, { ca: server.ca }, { scheme: "smtps", user: "ada:pass%20word@" })
        const message = emailTo("ada@example.com", {
          subject: "Grüße",
          replyTo: "Help <help@acme.example>",
          unsubscribeUrl: "https://acme.example/u?t=1&k=2"
        })
        const outcomes = yield* provider.send([outgoing(message, "0199-d1")])
        expect(outcomes).toEqual([{ _tag: "Sent", providerMessageId: "<0199-d1@acme.example>" }])
        expect(server.received).toMatchObject([
          { mailFrom: "no-reply@acme.example", rcptTo: ["ada@example.com"], secure: true, user: "ada" }
        ])
        const { body, headers } = Smtp.parse(server.received[0]?.raw ?? "")
        expect(Object.fromEntries(headers)).toMatchObject({
          from: "Acme <no-reply@acme.example>",
          to: "ada@example.com",
          "reply-to": "Help <help@acme.example>",
          subject: "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=",
          "message-id": "<0199-d1@acme.example>",
          "x-beckon-delivery": "0199-d1",
          "list-unsubscribe": "<https://acme.example/u?t=1&k=2>",
          "list-unsubscribe-post": "List-Unsubscribe=One-Click",
          "content-type": expect.stringContaining("multipart/alternative")
        })
        expect(body).toContain("It comes at 18:40.")
        expect(body).toContain("<p>It comes at <b>18:40</b>.</p>")
      })
  )

  it.live("a host that a stranger chose is reached through the guard, and not at a private address", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start({ secure: true })
      const plainServer = yield* Smtp.start()
      const sendWith = Effect.fnUntraced(
        function* (_allowed: ReadonlyArray<string>, isSecure: boolean) {
          const { agents } = yield* OutboundPost
          const { ca, port } = isSecure ? server : plainServer
          const provider = yield* connected(
            port,
            { ca, dial: agents.connect, startTls: "required" },
            { scheme: isSecure ? "smtps" : "smtp", user: "ada:pass%20word@" }
          )
          return yield* provider.send([outgoing(emailTo("ada@example.com"))])
        },
        (sending, allowedNetworks) => Effect.provide(sending, OutboundPost.layer({ allowedNetworks }))
      )
      expect(yield* sendWith(["127.0.0.0/8", "::1/128"], true)).toMatchObject([{ _tag: "Sent" }])
      expect(yield* sendWith(["127.0.0.0/8", "::1/128"], false)).toMatchObject([{ _tag: "Sent" }])
      expect(plainServer.received).toMatchObject([{ secure: true, user: "ada" }])
      const [refused] = yield* sendWith([], true)
      expect(refused).toMatchObject({ _tag: "Failed", class: "transient" })
      expect(server.received).toHaveLength(1)
    })
  )

  it.live("connections are kept: ten messages need no more than two", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start()
      const provider = yield* connected(server.port, { connections: 2 })
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, index) => outgoing(emailTo("ada@example.com"), `d-${index}`)),
        (one) => provider.send([one]),
        { concurrency: provider.concurrency }
      )
      expect(outcomes.flat().every(({ _tag }) => _tag === "Sent")).toBe(true)
      expect(server.received).toHaveLength(10)
      expect(server.opened()).toBeLessThanOrEqual(2)
    })
  )

  it.live.each(refusals)("%s answered by %s is %s", ([stage, reply, failureClass, code]) =>
    Effect.gen(function* () {
      const server = yield* refusing(stage, reply)
      const provider = yield* connected(server.port)
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({ _tag: "Failed", class: failureClass, code })
      expect(outcome).toMatchObject({ detail: expect.stringContaining(reply.split(" ").slice(-1)[0] ?? "") })
    })
  )

  it.live("a refused message leaves the connection to the next one", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start({
        onRcptTo: ({ address }, _session, done) =>
          done(address.startsWith("nobody") ? Smtp.refusal("550 5.1.1 No such user") : null)
      })
      const provider = yield* connected(server.port, { connections: 1 })
      expect(yield* provider.send([outgoing(emailTo("nobody@example.com"))])).toMatchObject([{ code: "bounce" }])
      expect(yield* provider.send([outgoing(emailTo("ada@example.com"))])).toMatchObject([{ _tag: "Sent" }])
      expect(server.opened()).toBe(1)
    })
  )

  it.live("a wrong password is about our credentials, and does not show in the detail that quotes it", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start({ allowInsecureAuth: true })
      const provider = yield* connected(server.port, {}, { user: "ada:wr%C3%B6ng-one@" })
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({
        class: "credentials",
        code: "535 5.7.8",
        detail: expect.stringContaining("No: ada")
      })
      expect(JSON.stringify(outcome)).not.toContain("wröng-one")
    })
  )

  it.live("a temporary failure of the login is transient", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start({
        allowInsecureAuth: true,
        onAuth: (_auth, _session, done) => done(Smtp.refusal("454 4.7.0 Try later"))
      })
      const provider = yield* connected(server.port, {}, { user: "ada:x@" })
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({ class: "transient", code: "454 4.7.0" })
    })
  )

  it.live("encryption is required by default: a server without STARTTLS gets neither login nor message", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.scripted((line) => (line === "STARTTLS" ? "502 no" : plain(line)))
      const provider = yield* SmtpProvider.make({
        url: Redacted.make(`smtp://ada:secret-word@localhost:${server.port}`),
        from
      })
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({ class: "transient", code: "tls" })
      expect(server.lines.filter((line) => /^(AUTH|MAIL|RCPT|DATA)/.test(line))).toEqual([])
    })
  )

  it.live("STARTTLS is used, and a certificate that nobody vouches for is refused", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start()
      const trusting = yield* connected(
        server.port,
        { startTls: "required", ca: server.ca },
        { user: "ada:pass%20word@" }
      )
      expect(yield* trusting.send([outgoing(emailTo("ada@example.com"))])).toMatchObject([{ _tag: "Sent" }])
      expect(server.received).toMatchObject([{ secure: true, user: "ada" }])
      const strict = yield* connected(server.port, { startTls: "required" })
      expect(yield* strict.send([outgoing(emailTo("ada@example.com"))])).toMatchObject([
        { class: "transient", code: expect.stringMatching(/tls|connection/) }
      ])
      expect(server.received).toHaveLength(1)
    })
  )

  it.live("a connection that breaks in the middle of a message is transient, and the message is not sent again", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.scripted((line, socket) => {
        if (line.startsWith("Subject:")) return void socket.destroy()
        return plain(line)
      })
      const provider = yield* connected(server.port)
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({ class: "transient", code: "connection" })
      yield* server.quiet
      expect(server.lines.filter((line) => line === "DATA")).toHaveLength(1)
      expect(server.opened()).toBe(1)
    })
  )

  it.live.each([
    ["hangs up instead of a greeting", (socket: Socket): void => void socket.end()],
    ["hangs up in the middle of its greeting", (socket: Socket): void => void socket.end("220 loop")],
    ["greets with a refusal", (socket: Socket): void => void socket.end("554 5.3.2 Go away\r\n")]
  ] as const)("a server that %s is asked once", ([, greet]) =>
    Effect.gen(function* () {
      const server = yield* Smtp.scripted(plain, greet)
      const provider = yield* connected(server.port)
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({ class: "transient" })
      yield* server.quiet
      expect(server.opened()).toBe(1)
    })
  )

  const silentAt =
    (command: string) =>
    (line: string): string | undefined =>
      line.startsWith(command) ? undefined : plain(line)
  const drip = (line: string, socket: Socket): string | undefined => {
    if (line !== ".") return plain(line)
    const timer = setInterval(() => socket.write("2"), 20)
    socket.on("close", () => clearInterval(timer))
    return undefined
  }

  it.live.each([
    ["says nothing", Smtp.scripted(plain, () => undefined)],
    ["falls silent after EHLO", Smtp.scripted(silentAt("MAIL"))],
    ["never confirms the message", Smtp.scripted(silentAt("."))],
    ["drips its last reply", Smtp.scripted(drip)]
  ] as const)("a server that %s costs one time limit, and its connection is closed", ([, start]) =>
    Effect.gen(function* () {
      const server = yield* start
      const provider = yield* connected(server.port, { timeout: "300 millis" })
      const [spent, outcomes] = yield* Effect.timed(provider.send([outgoing(emailTo("ada@example.com"))]))
      expect(outcomes).toMatchObject([{ class: "transient", code: "timeout" }])
      expect(Duration.toMillis(spent)).toBeLessThan(2_000)
      yield* server.quiet
      expect(server.opened()).toBe(1)
    })
  )

  it.live("nobody listens: transient", () =>
    Effect.gen(function* () {
      const provider = yield* connected(1)
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(outcome).toMatchObject({
        class: "transient",
        code: "connection",
        detail: expect.stringContaining("ECONNREFUSED")
      })
    })
  )

  it.live("the pool is closed with its scope", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start()
      const scope = yield* Scope.make()
      const provider = yield* connected(server.port).pipe(Scope.provide(scope))
      yield* provider.send([outgoing(emailTo("ada@example.com"))])
      expect(server.sockets.size).toBe(1)
      yield* Scope.close(scope, Exit.void)
      yield* server.quiet
    })
  )

  it.live("line ends in the subject become spaces, and no header can be added", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start()
      const provider = yield* connected(server.port)
      const subject = "Hi\r\nBcc: eve@example.com\r\n\r\nbody\u2028x\u0000y"
      const [outcome] = yield* provider.send([outgoing(emailTo("ada@example.com", { subject }), "d (1).\\u0000\u00e9")])
      expect(outcome).toMatchObject({ _tag: "Sent" })
      const { headers, names } = Smtp.parse(server.received[0]?.raw ?? "")
      expect(names).not.toContain("bcc")
      expect(headers.get("subject")).toBe("Hi Bcc: eve@example.com body x y")
      expect(headers.get("message-id")).toMatch(/^<[A-Za-z0-9%_-]+@acme\.example>$/)
      expect(server.received[0]?.rcptTo).toEqual(["ada@example.com"])
    })
  )

  it.live.each([
    ["a@example.com, eve@example.com", {}, "invalid_address"],
    ["a@example.com\r\nBcc: eve@example.com", {}, "invalid_address"],
    ["a@example.com> RCPT TO:<eve@example.com", {}, "invalid_address"],
    ["group: a@example.com;", {}, "invalid_address"],
    ["no address", {}, "invalid_address"],
    ["a@example.com", { replyTo: "b@example.com\r\nBcc: eve@example.com" }, "invalid_reply_to"],
    ["a@example.com", { unsubscribeUrl: "http://acme.example/u" }, "invalid_unsubscribe_url"],
    ["a@example.com", { unsubscribeUrl: "javascript:alert(1)" }, "invalid_unsubscribe_url"]
  ] as const)("%s %o is refused before a connection is opened", ([to, changes, code]) =>
    Effect.gen(function* () {
      const server = yield* Smtp.start()
      const provider = yield* connected(server.port)
      expect(yield* provider.send([outgoing(emailTo(to, changes))])).toMatchObject([{ _tag: "Failed", code }])
      expect(server.opened()).toBe(0)
    })
  )

  it.live("angle brackets and line ends in the unsubscribe URL are escaped", () =>
    Effect.gen(function* () {
      const server = yield* Smtp.start()
      const provider = yield* connected(server.port)
      const unsubscribeUrl = "https://acme.example/u?a=>\r\nBcc: eve@example.com, <b"
      yield* provider.send([outgoing(emailTo("ada@example.com", { unsubscribeUrl }))])
      const { headers, names } = Smtp.parse(server.received[0]?.raw ?? "")
      expect(names).not.toContain("bcc")
      expect(headers.get("list-unsubscribe")).toMatch(/^<https:\/\/acme\.example\/u\?[^<>\s]*>$/)
    })
  )

  it.live("DKIM: a verifier finds the signature good, and no longer good when the message changes", () =>
    Effect.gen(function* () {
      const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
      const server = yield* Smtp.start()
      const provider = yield* connected(server.port, {
        dkim: {
          domain: "acme.example",
          selector: "s1",
          privateKey: Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString())
        }
      })
      yield* provider.send([
        outgoing(emailTo("ada@example.com", { subject: "Grüße", unsubscribeUrl: "https://acme.example/u" }))
      ])
      const raw = server.received[0]?.raw ?? ""
      const record = `v=DKIM1; k=rsa; p=${publicKey.export({ type: "spki", format: "der" }).toString("base64")}`
      const resolver = (name: string) =>
        name === "s1._domainkey.acme.example" ? Promise.resolve([[record]]) : Promise.reject(new Error("NXDOMAIN"))
      const verdict = (message: string) =>
        Effect.map(
          Effect.promise(() => dkimVerify(message, { resolver })),
          ({ results }) => results.map(({ signingDomain, status }) => [signingDomain, status.result])
        )
      expect(yield* verdict(raw)).toEqual([["acme.example", "pass"]])
      expect(yield* verdict(raw.replace("18:40", "19:40"))).not.toEqual([["acme.example", "pass"]])
      expect(yield* verdict(raw.replace("To: ada@", "To: eve@"))).not.toEqual([["acme.example", "pass"]])
    })
  )

  it.live.each([
    ["https://localhost", {}],
    ["smtps://localhost/?tls.rejectUnauthorized=false", {}],
    ["smtp://ada:%@localhost", {}],
    ["not a URL", {}],
    ["smtp://localhost", { from: "nobody" }],
    ["smtp://localhost", { dkim: { domain: "a.example", selector: "s", privateKey: Redacted.make("nonsense") } }]
  ] as const)("settings that make no sense are refused: %s %o", ([url, settings]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(SmtpProvider.make({ url: Redacted.make(url), from, ...settings }))
      expect(error._tag).toBe("SmtpSettingsInvalid")
      expect(error.message).not.toContain("%@")
    })
  )
})
