import { z } from "zod";

/** As people count them, nearly: UTF-16 code units, as an input's `maxlength` does. */
const LONGEST = 24;
/** What is looked at, at most. */
const LONGEST_GIVEN = 500;

/**
 * What nobody sees: controls, zero-width characters, fillers, and the marks that turn the direction of writing round, with which a
 * name would turn round what stands beside it. Joiners go with them, so a family of one emoji falls into its members.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/gu;
const SPACES = /\s+/gu;

/** The name of a visitor: something that can be seen, in one line. */
export const VisitorName = z
  .string()
  .max(LONGEST_GIVEN)
  .refine((name) => name.isWellFormed(), "well-formed text")
  .transform((name) =>
    name.replace(SPACES, " ").replace(UNSEEN, "").replace(SPACES, " ").trim().normalize("NFC"),
  )
  .pipe(z.string().min(1, "something that can be seen").max(LONGEST, `at most ${LONGEST} characters`));
