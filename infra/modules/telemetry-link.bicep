// The private way of telemetry: Azure Monitor's private link scope, with the workspace and Application Insights in it.

import { tagsType } from 'types.bicep'

@description('The end of each name.')
param token string

param location string

param tags tagsType

param workspaceName string

param insightsName string

param networkName string

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource scope 'Microsoft.Insights/privateLinkScopes@2021-09-01' = {
  name: 'ampls-${token}'
  location: 'global'
  tags: tags
  properties: {
    accessModeSettings: {
      ingestionAccessMode: 'PrivateOnly'
      queryAccessMode: 'Open'
    }
  }

  resource logs 'scopedResources' = {
    name: 'workspace'
    properties: {
      linkedResourceId: workspace.id
    }
  }

  resource component 'scopedResources' = {
    name: 'insights'
    properties: {
      linkedResourceId: insights.id
    }
    // One change at a time, or the scope answers with a conflict.
    dependsOn: [
      logs
    ]
  }
}

module endpoint 'private-endpoint.bicep' = {
  params: {
    name: 'pe-telemetry-${token}'
    location: location
    tags: tags
    networkName: networkName
    resourceId: scope.id
    groupId: 'azuremonitor'
  }
  dependsOn: [
    scope::component
  ]
}
