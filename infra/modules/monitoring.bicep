// Log Analytics and workspace-based Application Insights; neither takes keys.

import { tagsType } from 'types.bicep'

param workspaceName string

param insightsName string

param location string

param tags tagsType

@description('Days that logs and traces are kept.')
param retentionDays int

@description('Gigabytes that may come in a day; what comes above is dropped until the next day.')
param dailyQuotaGigabytes int

@description('Whether telemetry comes in through the private network only.')
param privateNetworking bool

var publicIngestion = privateNetworking ? 'Disabled' : 'Enabled'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGigabytes
    }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    publicNetworkAccessForIngestion: publicIngestion
    // People read logs in the portal, signed in, from where they are; alerts are evaluated outside any network.
    publicNetworkAccessForQuery: 'Enabled'
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
    IngestionMode: 'LogAnalytics'
    publicNetworkAccessForIngestion: publicIngestion
    publicNetworkAccessForQuery: 'Enabled'
  }
}

output insightsConnectionString string = insights.properties.ConnectionString
