/*
 * The lease of one strict name: three servers, two nodes.
 *
 * There is no clock in it, only what clocks are trusted for: a server ends a session, or its guard after a restart, when every
 * deadline that a node took from it has passed. Between that deadline and that end a session is of use to nobody, so both are one
 * step. Nothing ever has to happen: what is lost is what is late for ever, and a node that is slow is one that takes no step.
 *
 * README.md tells what stands for what, what was left out, and what was found. To be set with -D:
 * - bounds: RIVALS (0: one node), ACQUISITIONS that are begun by both nodes together, CRASHES that empty a server;
 * - ALWAYS_CONFIRM: nobody holds a name by one round of requests; CONFIRM_LOWER: late votes with no higher token help to confirm;
 *   ORDER: of which two holders one must have the higher token;
 * - clocks that break their bound: BROKEN_CLOCKS, BROKEN_GUARDS, and MAY_OVERLAP, for two holders are not an error then;
 * - broken on purpose: NAIVE_SESSION, NO_INCARNATION, NO_GUARD, NO_CONFIRM, CONFIRM_LATE, NO_FLOOR, EARLY_FLOOR;
 * - SYMMETRY 0, to be able to follow who does what.
 */
#ifndef RIVALS
#define RIVALS 1
#endif
#ifndef ACQUISITIONS
#define ACQUISITIONS 1
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef SYMMETRY
#define SYMMETRY 1
#endif

/* A holder has a higher token than all who held the name before it held it; chose its token; or began to ask. */
#define BY_HOLDING 0
#define BY_CHOICE 1
#define BY_START 2
#ifndef ORDER
#define ORDER BY_HOLDING
#endif

#if defined(NAIVE_SESSION) || defined(NO_INCARNATION)
#define SESSIONS_LINGER
#endif

/* A vote, of one server for one node. */
#define NONE 0
#define ORPHAN 1  /* for an attempt that is over: until the release comes, or the session ends */
#define GIVEN 2
#define COUNTS 3  /* with the token that the node holds the name by, or has had confirmed */

/* A session. Where there is none the next one is taken to be open already: it does no harm until something is asked in it. */
#define KEPT 0
#define FORGOTTEN 1  /* by the server; the node's deadline has not passed */
#define EXPIRED 2    /* in broken variants only: the deadline has passed, and the vote is not forgotten */

/* What is still under way of an attempt that is over. */
#define NOTHING 0
#define ACQUIRE 1
#define CONFIRM 2
#define ATTACH 3

/* One node, as one server and it see each other. */
typedef Link {
  unsigned vote : 2;
  unsigned token : 4;      /* of a vote that is GIVEN */
  unsigned session : 2;
  unsigned late : 2;
  unsigned lateToken : 4;
  unsigned asked : 1;      /* its request for the vote has not come yet */
  unsigned confirming : 1  /* its request to store the token has not come yet */
};

#define TAKES_PART 0
#define WAITS 1        /* after a restart */
#define NEEDS_FLOOR 2  /* it has waited */
typedef Server {
  unsigned guard : 2;
  unsigned bound : 4;  /* the next token is higher; with one name this is also the highest that it ever stored */
  unsigned read : 3;   /* who has been read for its floor, one bit each */
  unsigned most : 4;   /* what they said */
  Link link[2]
};
Server server[3];

#define IDLE 0
#define ASKS 1
#define CONFIRMS 2
#define HOLDS 3
typedef Node {
  unsigned phase : 2;
  unsigned token : 4;
  unsigned proposal : 4;
  unsigned after : 4  /* no token up to this one will do */
};
Node node[2];

unsigned begun : 4;
unsigned crashed : 2;
unsigned latest : 4;  /* the highest token that anybody has held the name by */
unsigned given : 16;  /* all of those, one bit each */

/* Used within one step only. */
unsigned newToken : 4;
bit isOnlyHolder, tokensRise, isNewToken;

/* None of the bounds that are used gets that far: nothing is cut off. */
#define MOST_TOKENS 15

#define OTHER(c) (1 - (c))
#define LINK(c, s) server[s].link[c]
#define IS_UP(s) (server[s].guard == TAKES_PART)
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define IS_RIVALS(c, s) (LINK(OTHER(c), s).session == KEPT && LINK(OTHER(c), s).vote != NONE)

#define IS_PROVEN(c, s) (LINK(c, s).session != EXPIRED)
#ifdef NAIVE_SESSION
#define VALID(c, s, what) (LINK(c, s).vote == what)
#define IS_KEPT_BY_MAJORITY(c) (IS_PROVEN(c, 0) + IS_PROVEN(c, 1) + IS_PROVEN(c, 2) >= 2)
#else
#define VALID(c, s, what) (LINK(c, s).vote == what && IS_PROVEN(c, s))
#define IS_KEPT_BY_MAJORITY(c) true
#endif
#define IS_HELD(c) (VALID(c, 0, COUNTS) + VALID(c, 1, COUNTS) + VALID(c, 2, COUNTS) >= 2 && IS_KEPT_BY_MAJORITY(c))

inline clear(c, s) {
  LINK(c, s).vote = NONE; LINK(c, s).token = 0; LINK(c, s).session = KEPT;
  LINK(c, s).late = NOTHING; LINK(c, s).lateToken = 0; LINK(c, s).asked = 0; LINK(c, s).confirming = 0
}

/* What is under way stays so, with the release behind it. */
inline abandon(c, s) {
  if
  :: LINK(c, s).session != KEPT -> clear(c, s)
  :: else ->
     if
     :: LINK(c, s).asked -> LINK(c, s).late = ACQUIRE; LINK(c, s).lateToken = node[c].proposal
     :: LINK(c, s).confirming -> LINK(c, s).late = CONFIRM; LINK(c, s).lateToken = node[c].token
     :: node[c].phase == HOLDS && LINK(c, s).vote != COUNTS && !LINK(c, s).asked ->
        LINK(c, s).late = ATTACH; LINK(c, s).lateToken = node[c].token
     :: else
     fi;
     if :: LINK(c, s).vote >= GIVEN -> LINK(c, s).vote = ORPHAN :: else fi;
     LINK(c, s).token = 0; LINK(c, s).asked = 0; LINK(c, s).confirming = 0
  fi
}

inline giveUp(c) {
  abandon(c, 0); abandon(c, 1); abandon(c, 2);
  node[c].phase = IDLE; node[c].token = 0; node[c].proposal = 0; node[c].after = 0
}

/* A name whose votes do not last is lost for good. */
inline lapse(c) {
  if :: node[c].phase == HOLDS && !IS_HELD(c) -> giveUp(c) :: else fi
}

/* A server that granted the same token is counted as well. Whoever hears of that at once holds the name for longest. */
inline countLate(c, s) {
  if
  :: LINK(c, s).vote == GIVEN && LINK(c, s).token == node[c].token -> LINK(c, s).vote = COUNTS; LINK(c, s).token = 0
  :: else
  fi
}

inline hold(c) {
  isOnlyHolder = node[OTHER(c)].phase != HOLDS;
#ifndef MAY_OVERLAP
  assert(isOnlyHolder);
#endif
#if ORDER == BY_HOLDING
  node[c].after = latest;
#endif
  tokensRise = node[c].token > node[c].after;
  assert(tokensRise);
#if ORDER != BY_HOLDING
  isNewToken = !(given & (1 << node[c].token));
  assert(isNewToken);
  given = given | (1 << node[c].token);
#endif
  latest = MAX(latest, node[c].token);
  node[c].phase = HOLDS; node[c].after = 0;
  countLate(c, 0); countLate(c, 1); countLate(c, 2)
}

/* What is proposed is a calendar's reading: behind everything, right, or ahead. */
inline begin(c, ahead) {
  begun++;
  node[c].phase = ASKS;
  newToken = MAX(server[0].bound, server[1].bound);
  newToken = MAX(newToken, server[2].bound);
  node[c].proposal = (ahead == 0 -> 1 : newToken + ahead);
#if ORDER == BY_START
  node[c].after = latest;
#endif
  LINK(c, 0).asked = IS_UP(0); LINK(c, 1).asked = IS_UP(1); LINK(c, 2).asked = IS_UP(2)
}
#define MAY_BEGIN(c) node[c].phase == IDLE && begun < ACQUISITIONS
#define BEGINS_BEHIND(c) MAY_BEGIN(c) -> begin(c, 0)
#define BEGINS_RIGHT(c) MAY_BEGIN(c) -> begin(c, 1)
#define BEGINS_AHEAD(c) MAY_BEGIN(c) -> begin(c, 2)

inline grant(c, s) {
  newToken = MAX(node[c].proposal, server[s].bound + 1);
  assert(newToken < MOST_TOKENS);
  server[s].bound = newToken;
  clear(c, s);
  LINK(c, s).vote = GIVEN; LINK(c, s).token = newToken;
  if :: node[c].phase == HOLDS -> countLate(c, s) :: else fi;
#ifdef CONFIRM_LATE
  LINK(c, s).confirming = (node[c].phase == CONFIRMS);
#elif defined(CONFIRM_LOWER)
  LINK(c, s).confirming = (node[c].phase == CONFIRMS && newToken <= node[c].token);
#endif
}
#define GRANTS(c, s) LINK(c, s).asked && IS_UP(s) && !IS_RIVALS(c, s) -> grant(c, s)

/* A majority's votes have come. */
inline choose(c, a, b) {
  node[c].token = MAX(LINK(c, a).token, LINK(c, b).token);
#if ORDER == BY_CHOICE
  node[c].after = latest;
#endif
  if
#ifdef NO_CONFIRM
  :: true ->
#elif defined(ALWAYS_CONFIRM)
  :: false ->
#else
  :: LINK(c, a).token == LINK(c, b).token ->
#endif
     LINK(c, a).vote = COUNTS; LINK(c, a).token = 0; LINK(c, b).vote = COUNTS; LINK(c, b).token = 0;
     hold(c)
  :: else ->
     node[c].phase = CONFIRMS;
     LINK(c, a).confirming = (LINK(c, a).session == KEPT); LINK(c, b).confirming = (LINK(c, b).session == KEPT)
  fi
}
#define CHOOSES(c, a, b) node[c].phase == ASKS && VALID(c, a, GIVEN) && VALID(c, b, GIVEN) && \
  IS_KEPT_BY_MAJORITY(c) -> choose(c, a, b)

inline store(c, s) {
  server[s].bound = MAX(server[s].bound, node[c].token);
  LINK(c, s).vote = COUNTS; LINK(c, s).token = 0; LINK(c, s).confirming = 0
}
#define STORES(c, s) LINK(c, s).confirming && IS_UP(s) && LINK(c, s).session == KEPT -> store(c, s)
#define IS_STORED(c) node[c].phase == CONFIRMS && IS_HELD(c) -> hold(c)

/* A holder makes up for the votes that it lacks. */
inline attach(c, s) {
  clear(c, s);
  LINK(c, s).vote = COUNTS;
  server[s].bound = MAX(server[s].bound, node[c].token)
}
#define ATTACHES(c, s) node[c].phase == HOLDS && IS_UP(s) && LINK(c, s).session == KEPT && \
  (LINK(c, s).vote == NONE || LINK(c, s).vote == GIVEN) && !IS_RIVALS(c, s) -> attach(c, s)

/* It lets the name go, or gives up getting it: at any time. */
#define GIVES_UP(c) node[c].phase != IDLE -> giveUp(c)
#define RELEASES(c, s) IS_UP(s) && LINK(c, s).vote == ORPHAN -> \
  LINK(c, s).vote = NONE; LINK(c, s).late = NOTHING; LINK(c, s).lateToken = 0

inline serveLate(c, s) {
  if
  :: LINK(c, s).late == ACQUIRE -> newToken = MAX(LINK(c, s).lateToken, server[s].bound + 1); LINK(c, s).vote = ORPHAN
  :: LINK(c, s).late == CONFIRM -> newToken = LINK(c, s).lateToken
  :: LINK(c, s).late == ATTACH -> newToken = LINK(c, s).lateToken; LINK(c, s).vote = ORPHAN
  fi;
  assert(newToken < MOST_TOKENS);
  server[s].bound = MAX(server[s].bound, newToken);
  LINK(c, s).late = NOTHING; LINK(c, s).lateToken = 0
}
#define SERVES_LATE(c, s) LINK(c, s).late != NOTHING && IS_UP(s) && \
  (LINK(c, s).late == CONFIRM -> LINK(c, s).vote == ORPHAN : !IS_RIVALS(c, s)) -> serveLate(c, s)

/* A deadline has passed, and the server has ended the session: what was voted in it counts no more. */
inline end(c, s) {
#ifdef SESSIONS_LINGER
  if
  :: LINK(c, s).session == KEPT -> LINK(c, s).session = EXPIRED; LINK(c, s).asked = 0; LINK(c, s).confirming = 0
  :: else -> clear(c, s)
  fi;
#else
  clear(c, s);
#endif
  lapse(c)
}
#define ENDS(c, s) LINK(c, s).vote >= GIVEN && LINK(c, s).session != EXPIRED -> end(c, s)

#ifdef NO_INCARNATION
#define REOPENS(c, s) LINK(c, s).session == EXPIRED && IS_UP(s) -> LINK(c, s).session = KEPT
#elif defined(NAIVE_SESSION)
#define REOPENS(c, s) LINK(c, s).session == EXPIRED && IS_UP(s) -> clear(c, s); lapse(c)
#else
#define REOPENS(c, s) false
#endif

/* The server has forgotten the session, and the node cannot know. */
inline forget(c, s) {
  if
  :: LINK(c, s).vote >= GIVEN && LINK(c, s).session != EXPIRED ->
     LINK(c, s).session = FORGOTTEN; LINK(c, s).asked = 0; LINK(c, s).confirming = 0
  :: else -> clear(c, s)
  fi
}
#ifdef BROKEN_CLOCKS
#define ENDS_EARLY(c, s) LINK(c, s).vote != NONE && LINK(c, s).session == KEPT && IS_UP(s) -> forget(c, s)
#else
#define ENDS_EARLY(c, s) false
#endif

/* A restart without data. */
inline crash(s) {
  crashed++;
  server[s].bound = 0;
  forget(0, s); forget(1, s);
#ifndef NO_GUARD
  server[s].guard = WAITS;
#endif
}
#define CRASHES_EMPTY(s) crashed < CRASHES && IS_UP(s) -> crash(s)

inline outlast(c, s) {
  if :: LINK(c, s).session == FORGOTTEN -> clear(c, s); lapse(c) :: else fi
}
inline recover(s) {
  if
  :: server[s].guard == NEEDS_FLOOR && server[s].read == 7 - (1 << s) ->
     server[s].bound = server[s].most; server[s].guard = TAKES_PART; server[s].read = 0; server[s].most = 0
  :: else
  fi
}
inline finishWait(s) {
#ifndef BROKEN_GUARDS
  outlast(0, s); outlast(1, s);
#endif
#ifdef NO_FLOOR
  server[s].guard = TAKES_PART;
#else
  server[s].guard = NEEDS_FLOOR;
  recover(s)
#endif
}
#define HAS_WAITED(s) server[s].guard == WAITS -> finishWait(s)

#ifdef EARLY_FLOOR
#define MAY_READ(s) (server[s].guard != TAKES_PART)
#else
#define MAY_READ(s) (server[s].guard == NEEDS_FLOOR)
#endif
inline readFrom(s, other) {
  server[s].read = server[s].read | (1 << other);
  server[s].most = MAX(server[s].most, server[other].bound);
  recover(s)
}
/* N - Q + 1 others are both of them. */
#define READS(s, other) MAY_READ(s) && IS_UP(other) && !(server[s].read & (1 << other)) -> readFrom(s, other)

/*
 * Servers are alike, and so are nodes: of the states that differ only in which is which, one stands for all. They are sorted after
 * each step. In C, because it is the same for all fields.
 */
c_code {
  static void swapServers(int a, int b) {
    struct Server former = now.server[a];
    now.server[a] = now.server[b];
    now.server[b] = former;
    for (int s = 0; s < 3; s++) {
      int read = now.server[s].read, other = ((read >> a) ^ (read >> b)) & 1;
      now.server[s].read = read ^ (other << a) ^ (other << b);
    }
  }
  static void sortServers(int a, int b) {
    if (memcmp(&now.server[a].link, &now.server[b].link, sizeof now.server[a].link) > 0) swapServers(a, b);
  }
  static void sortNodes(void) {
    if (memcmp(&now.node[0], &now.node[1], sizeof now.node[0]) <= 0) return;
    struct Node former = now.node[0];
    now.node[0] = now.node[1];
    now.node[1] = former;
    for (int s = 0; s < 3; s++) {
      struct Link link = now.server[s].link[0];
      now.server[s].link[0] = now.server[s].link[1];
      now.server[s].link[1] = link;
    }
  }
}

inline settle() {
  newToken = 0; isOnlyHolder = 0; tokensRise = 0; isNewToken = 0;
#if SYMMETRY
#if RIVALS
  c_code { sortNodes(); };
#endif
  c_code { sortServers(0, 1); sortServers(1, 2); sortServers(0, 1); };
#endif
  skip
}

/* Who follows a counterexample wants to know which step it was. */
#define STEP(what) :: d_step { what; c_code { if (readtrail) puts(#what); }; settle() }
#define EACH_SERVER(WHAT) STEP(WHAT(0)) STEP(WHAT(1)) STEP(WHAT(2))
#define EACH_PAIR(WHAT, c) STEP(WHAT(c, 0, 1)) STEP(WHAT(c, 0, 2)) STEP(WHAT(c, 1, 2))
#define EACH_LINK(WHAT, c) STEP(WHAT(c, 0)) STEP(WHAT(c, 1)) STEP(WHAT(c, 2))
#define STEPS_OF(c) \
  STEP(BEGINS_BEHIND(c)) STEP(BEGINS_RIGHT(c)) STEP(BEGINS_AHEAD(c)) \
  EACH_LINK(GRANTS, c) \
  EACH_PAIR(CHOOSES, c) \
  EACH_LINK(STORES, c) \
  STEP(IS_STORED(c)) \
  EACH_LINK(ATTACHES, c) \
  STEP(GIVES_UP(c)) \
  EACH_LINK(RELEASES, c) \
  EACH_LINK(SERVES_LATE, c) \
  EACH_LINK(ENDS, c) \
  EACH_LINK(REOPENS, c) \
  EACH_LINK(ENDS_EARLY, c)

active proctype world() {
  do
  STEPS_OF(0)
#if RIVALS
  STEPS_OF(1)
#endif
  EACH_SERVER(CRASHES_EMPTY)
  EACH_SERVER(HAS_WAITED)
  STEP(READS(0, 1)) STEP(READS(0, 2)) STEP(READS(1, 0)) STEP(READS(1, 2)) STEP(READS(2, 0)) STEP(READS(2, 1))
  od
}
