// Who is looking: asked once at the start, and again after signing in or being turned away.

import { ApiProblem, get, post, problemText, remove, whenUnauthorized } from './api/client.ts'
import type { Access, Me } from './api/types.ts'

type SessionState =
  | { readonly kind: 'asking' }
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'signed-out' }
  | { readonly kind: 'inside'; readonly me: Me }

class Session {
  state: SessionState = $state.raw({ kind: 'asking' })

  constructor() {
    whenUnauthorized(() => {
      this.state = { kind: 'signed-out' }
    })
  }

  get me(): Me | undefined {
    return this.state.kind === 'inside' ? this.state.me : undefined
  }

  /** Whether the server would let this caller do it. */
  may(access: Access): boolean {
    return this.me?.access.includes(access) === true
  }

  async ask(): Promise<void> {
    try {
      this.#settle(await get<Me>('/me'))
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) this.state = { kind: 'signed-out' }
      else this.state = { kind: 'unreachable', reason: problemText(error) }
    }
  }

  async signIn(token: string): Promise<void> {
    this.#settle(await post<Me>('/session', { token }))
  }

  async signOut(): Promise<void> {
    await remove('/session')
    this.state = { kind: 'signed-out' }
  }

  #settle(me: Me): void {
    this.state = me.authRequired && !me.signedIn ? { kind: 'signed-out' } : { kind: 'inside', me }
  }
}

export const session = new Session()
