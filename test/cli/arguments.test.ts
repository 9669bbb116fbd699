import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readArguments } from '../../src/cli/arguments.js'
import { COMMANDS, helpText, usageText } from '../../src/cli/command-list.js'
import { CommandFailure } from '../../src/cli/failure.js'

const failureOf = (...argv: string[]): CommandFailure => {
  try {
    readArguments(argv)
  } catch (cause) {
    if (cause instanceof CommandFailure) return cause
    throw cause
  }
  throw new Error('nothing was wrong')
}

describe('readArguments', () => {
  it('reads a command, its module and its options, in any order', () => {
    const wanted = {
      kind: 'command',
      command: 'posture',
      module: './app.js',
      options: { format: 'json', 'fail-on': 'open,unknown', call: '', export: 'make' },
    }
    expect(
      readArguments([
        'posture',
        './app.js',
        '--format',
        'json',
        '--fail-on=open,unknown',
        '--call',
        '--export',
        'make',
      ]),
    ).toEqual(wanted)
    expect(
      readArguments([
        'posture',
        '--call',
        '--export=make',
        '--format=json',
        '--fail-on',
        'open,unknown',
        './app.js',
      ]),
    ).toEqual(wanted)
  })

  it.each([
    [['--help'], { kind: 'usage' }],
    [['-h'], { kind: 'usage' }],
    [['help'], { kind: 'usage' }],
    [['help', 'doctor'], { kind: 'help', command: 'doctor' }],
    [['doctor', '--help'], { kind: 'help', command: 'doctor' }],
    [['doctor', 'x', '--help'], { kind: 'help', command: 'doctor' }],
    [['--version'], { kind: 'version' }],
    [
      ['key', '--prefix', 'acme', 'new'],
      { kind: 'command', command: 'key', module: 'new', options: { prefix: 'acme' } },
    ],
    [
      ['key', 'disable', 'aBcdefgh1234', '--file', 'keys.json'],
      {
        kind: 'command',
        command: 'key',
        module: 'disable',
        subject: 'aBcdefgh1234',
        options: { file: 'keys.json' },
      },
    ],
    [['key', '--help'], { kind: 'help', command: 'key' }],
    [['posture', '--', '--odd.js'], { kind: 'command', command: 'posture', module: '--odd.js', options: {} }],
    [
      ['posture', 'a.js', '--name=-x'],
      { kind: 'command', command: 'posture', module: 'a.js', options: { name: '-x' } },
    ],
  ])('understands %j', (argv, wish) => {
    expect(readArguments(argv)).toEqual(wish)
  })

  it.each<[string[], string]>([
    [[], 'A command is missing.'],
    [['postur', 'a.js'], 'There is no command "postur". Did you mean posture?'],
    [['toString', 'a.js'], 'There is no command "toString".'],
    [['help', 'audi'], 'There is no command "audi". Did you mean audit?'],
    [['posture'], 'The module of the application is missing.'],
    [['posture', ''], 'The module of the application is missing.'],
    [['posture', 'a.js', 'b.js'], '"b.js" is one argument too many.'],
    [['posture', 'a.js', '--formt', 'json'], 'posture has no option "--formt". Did you mean --format?'],
    [['posture', 'a.js', '--no-call'], 'posture has no option "--no-call".'],
    [['posture', 'a.js', '-x'], 'posture has no option "-x".'],
    [['posture', 'a.js', '--constructor'], 'posture has no option "--constructor".'],
    [['posture', 'a.js', '--format'], '--format needs a value: <table|json|markdown|sarif|html|csv>.'],
    [['posture', 'a.js', '--format='], '--format needs a value: <table|json|markdown|sarif|html|csv>.'],
    [['posture', 'a.js', '--name', '--call'], '--name needs a value: <name>.'],
    [['posture', 'a.js', '--call=yes'], '--call takes no value.'],
    [['posture', 'a.js', '--format', 'pdf'], '--format does not know "pdf".'],
    [['posture', 'a.js', '--format', 'htm'], '--format does not know "htm". Did you mean html?'],
    [['posture', 'a.js', '--fail-on', 'opn'], '--fail-on does not know "opn". Did you mean open?'],
    [['posture', 'a.js', '--fail-on', 'open,,unknown'], '--fail-on does not know "".'],
    [['doctor', 'a.js', '--fail-on', 'open'], '--fail-on does not know "open".'],
    [['posture', 'a.js', '--name', 'a', '--name', 'b'], '--name is given twice.'],
    [['check', 'a.js'], '--baseline <module> is missing.'],
    [['key'], 'A subcommand is missing: new, list, disable, enable, rotate.'],
    [['key', 'nwe', '--prefix', 'acme'], 'key cannot do "nwe". Did you mean new?'],
    [['key', './app.js', '--prefix', 'acme'], 'key cannot do "./app.js".'],
    [['key', 'new', 'x', '--prefix', 'acme'], '"x" is one argument too many.'],
    [['key', 'list', 'x'], '"x" is one argument too many.'],
    [['key', 'rotate', 'x', 'y'], '"y" is one argument too many.'],
    [
      ['key', 'new', '--export', 'x', '--prefix', 'a'],
      'key has no option "--export". Did you mean --expires?',
    ],
    [['\u001b[31m'], 'There is no command "\ufffd[31m".'],
  ])('says what is wrong with %j', (argv, message) => {
    const failure = failureOf(...argv)
    expect(failure.message).toBe(message)
    expect(failure.exitCode).toBe(2)
  })
})

describe('the help and docs/cli.md', () => {
  it('name every command and every option', () => {
    const page = readFileSync(join(process.cwd(), 'docs/cli.md'), 'utf8')
    for (const [name, command] of Object.entries(COMMANDS)) {
      expect(usageText()).toContain(name)
      const section = page.split(`\n## ${name}\n`)[1]?.split('\n## ')[0] ?? ''
      const rows = [...section.matchAll(/^\| `--([\w-]+)/gm)].map(([, option]) => option)
      const shared = [
        ...(page.split('\n## Options of every command that loads a module\n')[1] ?? '')
          .split('\n## ')[0]!
          .matchAll(/^\| `--([\w-]+)/gm),
      ]
      const loads = command.actions === undefined && command.takes === undefined
      const documented = [...rows, ...(loads ? shared.map(([, option]) => option) : [])]
      expect(new Set(documented)).toEqual(new Set(Object.keys(command.options)))
      for (const option of Object.keys(command.options))
        expect(helpText(name, command)).toContain(`--${option}`)
    }
    for (const code of [0, 1, 2, 3, 4]) expect(page).toMatch(new RegExp(`^\\| ${code} +\\|`, 'm'))
  })
})
