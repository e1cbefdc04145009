export type Shell = "bash" | "zsh" | "fish";

/** What there is to complete. */
export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly {
    readonly flag: string;
    readonly description: string;
    readonly takesValue: boolean;
  }[];
}

/** A script that a shell reads at its start. */
export function scriptFor(shell: Shell, commands: readonly CompletedCommand[]): string {
  switch (shell) {
    case "bash":
      return bash(commands);
    case "zsh":
      return zsh(commands);
    case "fish":
      return fish(commands);
  }
}

function bash(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name);
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words="${options.map(({ flag }) => flag).join(" ")}" ;;`,
  );
  return `_rollcall() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in ${names.join("|")}) command="$word"; break ;; esac
  done
  case "$command" in
    "") words="${names.join(" ")} --help --version" ;;
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _rollcall rollcall
`;
}

function zsh(commands: readonly CompletedCommand[]): string {
  const names = commands.map(
    ({ description, name }) => `    ${quoted(`${name}:${description.replaceAll(":", "\\:")}`)}`,
  );
  const cases = commands.map(({ name, options }) => {
    const specifications = options.map(({ description, flag, takesValue }) => {
      const words = description.replaceAll(/[[\]\\]/g, "\\$&");
      return quoted(`${flag}[${words}]${takesValue ? ":value:" : ""}`);
    });
    return `    ${name}) _arguments ${[...specifications, "'*::: :_default'"].join(" ")} ;;`;
  });
  return `#compdef rollcall
_rollcall() {
  local -a commands
  commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case "$words[1]" in
${cases.join("\n")}
  esac
}
compdef _rollcall rollcall
`;
}

function fish(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ description, name, options }) => [
    `complete -c rollcall -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ...options.map(
      (option) =>
        `complete -c rollcall -n '__fish_seen_subcommand_from ${name}' -l ${option.flag.replace(/^--/, "")}${option.takesValue ? " -r" : ""} -d ${quoted(option.description)}`,
    ),
  ]);
  return `${lines.join("\n")}\n`;
}

/** In all of these shells nothing is special between single quotes but they themselves (in fish also a backslash before one). */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}
