// Who is told, and of what. Every alert names its section in docs/alerts.md; queries name events and fields of
// ticket_engine/events.py.

import { tagsType } from 'types.bicep'

@description('The end of the action group\'s name.')
param token string

param location string

param tags tagsType

param workspaceName string

param vaultName string

@description('Who gets a mail.')
param emails string[]

var guide = 'docs/alerts.md#'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'TicketEngine'
    emailReceivers: [
      for email in emails: {
        name: email
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

// Severity: 0 critical, 1 error, 2 warning. `lasting` alerts end by themselves; the others report what happened once.
var logAlerts = [
  {
    name: 'no-timer-run'
    title: 'No timer run'
    summary: 'A timer of the service has not run for 30 minutes: no mailbox is polled, no token renewed, or nothing delivered.'
    severity: 0
    lasting: true
    window: 'PT30M'
    frequency: 'PT5M'
    query: '''
datatable(timer: string)['polls-queued', 'rotations-queued', 'deliveries-queued']
| join kind=leftouter (
    AppTraces
    | where tostring(Properties.event) in ('polls-queued', 'rotations-queued', 'deliveries-queued')
    | summarize runs = count() by timer = tostring(Properties.event)
  ) on timer
| project timer, runs = coalesce(runs, 0)
'''
    measure: 'runs'
    dimensions: ['timer']
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'mailbox-not-polled'
    title: 'A mailbox has not been polled for 30 minutes'
    summary: 'A connected mailbox has had no good poll for 30 minutes: its polls never run, or fail each time.'
    severity: 1
    lasting: true
    window: 'PT45M'
    frequency: 'PT5M'
    query: '''
AppTraces
| where tostring(Properties.event) == 'mailbox-needs'
| extend mailbox = tostring(Properties.mailbox), code = tostring(Properties.code), actor = tostring(Properties.actor)
| where code != 'not-connected'
| summarize reports = count() by mailbox, code, actor
| where code == 'not-polled' or reports >= 3
'''
    measure: 'reports'
    dimensions: ['mailbox', 'code', 'actor']
    operator: 'GreaterThanOrEqual'
    threshold: 1
  }
  {
    name: 'rotation-failures'
    title: 'A refresh token can not be renewed'
    summary: 'Three renewals of a mailbox\'s refresh token failed within an hour, and none went well.'
    severity: 1
    lasting: true
    window: 'PT1H'
    frequency: 'PT15M'
    query: '''
AppTraces
| where tostring(Properties.event) in ('rotation-failed', 'token-rotated')
| summarize
    failures = countif(tostring(Properties.event) == 'rotation-failed'),
    renewals = countif(tostring(Properties.event) == 'token-rotated'),
    code = take_anyif(tostring(Properties.code), tostring(Properties.event) == 'rotation-failed')
  by mailbox = tostring(Properties.mailbox)
| where renewals == 0
'''
    measure: 'failures'
    dimensions: ['mailbox', 'code']
    operator: 'GreaterThanOrEqual'
    threshold: 3
  }
  {
    name: 'credential-refused'
    title: 'Microsoft Entra ID refuses an application\'s credential'
    summary: 'A client secret, certificate or federated credential is refused; every mailbox that uses it waits.'
    severity: 1
    lasting: false
    window: 'PT15M'
    frequency: 'PT15M'
    query: '''
AppTraces
| where tostring(Properties.event) == 'credential-refused'
| summarize refusals = count() by client_id = tostring(Properties.client_id), code = tostring(Properties.code)
'''
    measure: 'refusals'
    dimensions: ['client_id', 'code']
    operator: 'GreaterThanOrEqual'
    threshold: 1
  }
  {
    name: 'ends-soon'
    title: 'A client secret, certificate or token ends soon'
    summary: 'It ends within 30, 14, 7 or 1 days; each is told once.'
    severity: 2
    lasting: false
    window: 'PT1H'
    frequency: 'PT1H'
    query: '''
AppTraces
| where tostring(Properties.event) == 'expiry'
| summarize warnings = count()
  by mailbox = tostring(Properties.mailbox), what = tostring(Properties.what), days = tostring(Properties.days)
'''
    measure: 'warnings'
    dimensions: ['mailbox', 'what', 'days']
    operator: 'GreaterThanOrEqual'
    threshold: 1
  }
  {
    name: 'message-poisoned'
    title: 'The work for a mailbox was given up'
    summary: 'A queue message failed five times and went to the poison queue; the mailbox is polled again at its next turn.'
    severity: 1
    lasting: false
    window: 'PT15M'
    frequency: 'PT15M'
    query: '''
AppTraces
| where tostring(Properties.event) == 'message-poisoned'
| summarize messages = count() by queue = tostring(Properties.queue), mailbox = tostring(Properties.mailbox)
'''
    measure: 'messages'
    dimensions: ['queue', 'mailbox']
    operator: 'GreaterThanOrEqual'
    threshold: 1
  }
  {
    name: 'mail-quarantined'
    title: 'A mail could not be ingested'
    summary: 'A mail failed again and again; it stays on the server and waits for a person.'
    severity: 2
    lasting: false
    window: 'PT1H'
    frequency: 'PT1H'
    query: '''
AppTraces
| where tostring(Properties.event) == 'mail-quarantined'
| summarize mails = count() by mailbox = tostring(Properties.mailbox)
'''
    measure: 'mails'
    dimensions: ['mailbox']
    operator: 'GreaterThanOrEqual'
    threshold: 1
  }
  {
    name: 'delivery-given-up'
    title: 'A webhook or notification was given up'
    summary: 'What a ticket type should deliver failed at every try.'
    severity: 2
    lasting: false
    window: 'PT1H'
    frequency: 'PT1H'
    query: '''
AppTraces
| where tostring(Properties.event) == 'delivery-given-up'
| summarize reports = count() by mailbox = tostring(Properties.mailbox)
'''
    measure: 'reports'
    dimensions: ['mailbox']
    operator: 'GreaterThanOrEqual'
    threshold: 1
  }
  {
    name: 'callback-errors'
    title: 'The callback fails'
    summary: 'A consent ended in an error of the service (5xx), not of the person who consented.'
    severity: 1
    lasting: true
    window: 'PT15M'
    frequency: 'PT5M'
    query: '''
AppRequests
| where Name in ('oauth_consent', 'oauth_callback')
| where toint(ResultCode) >= 500
| summarize failures = count() by function = Name
'''
    measure: 'failures'
    dimensions: ['function']
    operator: 'GreaterThanOrEqual'
    threshold: 1
  }
]

resource rules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for alert in logAlerts: {
    name: '${alert.name}-${token}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Ticket Engine: ${alert.title}'
      description: '${alert.summary} What to do: ${guide}${alert.name}'
      severity: alert.severity
      enabled: true
      autoMitigate: alert.lasting
      scopes: [
        workspace.id
      ]
      evaluationFrequency: alert.frequency
      windowSize: alert.window
      // A table that has had no rows yet is no reason to refuse the rule.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Total'
            metricMeasureColumn: alert.measure
            dimensions: [
              for dimension in alert.dimensions: {
                name: dimension
                operator: 'Include'
                values: [
                  '*'
                ]
              }
            ]
            operator: alert.operator
            threshold: alert.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [
          group.id
        ]
      }
    }
  }
]

resource throttling 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'vault-throttling-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Key Vault turns requests away because there are too many (429). What to do: ${guide}vault-throttling'
    severity: 2
    enabled: true
    autoMitigate: true
    scopes: [
      vault.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'throttled'
          metricNamespace: 'Microsoft.KeyVault/vaults'
          metricName: 'ServiceApiResult'
          dimensions: [
            {
              name: 'StatusCode'
              operator: 'Include'
              values: [
                '429'
              ]
            }
          ]
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: [
      {
        actionGroupId: group.id
      }
    ]
  }
}
